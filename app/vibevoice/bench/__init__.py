"""What the engine costs, beside transformers' own generation: python -m vibevoice.bench."""
