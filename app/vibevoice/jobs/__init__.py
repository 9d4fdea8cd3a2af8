"""Jobs: what was asked for, how far it is, and its sound. Knows the engine's client, no HTTP."""
