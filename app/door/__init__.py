"""The door: who may enter which studio. A small forward-auth service beside the proxy."""

VERSION = "1.0"
