"""The lab as its tests see it: what it is, how to deploy to it, how to visit it."""
