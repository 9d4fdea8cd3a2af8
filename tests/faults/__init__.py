"""The site under attack, its hosts at the mercy of fate, on the lab: make test-faults, some in make test."""
