"""Sound as numbers, and as files in the formats that people ask for."""

from .encoding import encode, encode_file
from .ffmpeg import EncodingError
from .formats import FORMATS, Format, Tags
from .samples import SAMPLE_RATE, Samples, pcm16, wav

__all__ = [
    "FORMATS",
    "SAMPLE_RATE",
    "EncodingError",
    "Format",
    "Samples",
    "Tags",
    "encode",
    "encode_file",
    "pcm16",
    "wav",
]
