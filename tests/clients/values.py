"""Values that every client stores and gets back."""

import os

PORT = int(os.environ["PORT"])
GUARDED_PORT = int(os.environ["GUARDED_PORT"])
HOST = "127.0.0.1"

LARGE = b"0123456789abcdef" * 60_000
UNICODE = "größer, 大きい, 🦀"
BINARY = bytes(range(256)) + b"\r\nEND\r\n"


def same(found, expected, what):
    """Fails with what was found instead."""
    if found != expected:
        raise AssertionError(f"{what}: {str(found)[:200]!r}, not {str(expected)[:200]!r}")
