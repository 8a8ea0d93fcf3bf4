"""The names of the files in a session's folder."""

from pathlib import Path

__all__ = ["DESCRIPTION", "INDEX", "is_session", "messages_name", "spikes_name"]

DESCRIPTION = "session.json"
INDEX = "index.bin"


def spikes_name(number: int) -> str:
    """Return the name of the file of spikes with a number, counted from 1."""
    return f"spikes-{number:06d}.dat"


def messages_name(number: int) -> str:
    """Return the name of the file of frames, readings and events with a number, counted from 1."""
    return f"messages-{number:06d}.mcap"


def is_session(path: Path) -> bool:
    """Tell whether a path is a session's folder."""
    return (path / DESCRIPTION).is_file()
