"""The site under attack, on the lab's hosts: make test-lab."""
