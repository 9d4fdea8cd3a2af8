"""The speech studio: a VibeVoice model on one GPU behind a page and an OpenAI-shaped API."""
