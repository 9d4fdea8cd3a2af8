"""The site, end to end, on the lab's hosts: make test-lab."""
