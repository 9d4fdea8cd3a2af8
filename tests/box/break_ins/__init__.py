"""The table of break-in tries: what each sends, in whose name, and what must not come of it."""
