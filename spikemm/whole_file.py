"""Write a file so that whoever looks finds the old one or the whole new one."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

__all__ = ["remove_rests", "whole_file"]

_PREFIX = ".spikemm-"


@contextmanager
def whole_file(target: str | Path) -> Iterator[Path]:
    """Yield a path to write to; when the block ends well, the file there takes the place of `target`.

    If the block fails, `target` is left as it was and nothing stays beside it. The data are on the disk before the name
    is. A link is followed, and what is no file, a pipe or a device, is written to directly.

    Parameters
    ----------
    target : path
        The file; its folder must exist.

    Yields
    ------
    Path
        A path of the same name in a folder of its own on the same disk; the block must make the file, and may make
        others beside it, which are removed.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    place = Path(target).resolve()
    if place.exists() and not place.is_file():
        yield place
        return
    with TemporaryDirectory(prefix=_PREFIX, dir=place.parent) as folder:
        partial = Path(folder) / Path(target).name
        yield partial
        _bring_to_disk(partial)
        partial.replace(place)


def remove_rests(folder: Path) -> None:
    """Remove what processes that were killed while writing have left in a folder; none may be writing there."""
    for rest in folder.glob(f"{_PREFIX}*"):
        shutil.rmtree(rest, ignore_errors=True)


def _bring_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
