"""Names of the files that a sink writes: checked before the run, and one more for each segment of the stream."""

from collections.abc import Sequence
from pathlib import Path

from spikemm.exceptions import OptionError

__all__ = ["check_output", "segment_path"]


def check_output(path: str, endings: Sequence[str]) -> None:
    """Look for what would keep a file from being written.

    Raises
    ------
    OptionError
        If its ending is none of `endings`, its folder does not exist, or the path is a folder.
    """
    file = Path(path)
    if file.suffix.lower() not in endings:
        raise OptionError(f"path {path}: it must end in {' or '.join(endings)}")
    if not file.parent.is_dir():
        raise OptionError(f"path {path}: there is no folder {file.parent}; make it first")
    if file.is_dir():
        raise OptionError(f"path {path} is a folder; name a file in it")


def segment_path(path: str, segment: int, *, spare: bool) -> Path:
    """Return the file of a segment: NAME, then NAME-2, NAME-3, ….

    Parameters
    ----------
    path : str
        File of the first segment.
    segment : int
        Number of the segment, from 1.
    spare : bool
        Leave alone what is there: take the first number from `segment` up under which nothing was written.
    """
    first = Path(path)
    file = first if segment == 1 else first.with_stem(f"{first.stem}-{segment}")
    if spare and (segment == 1 or any(file.parent.glob(f"{file.name}*"))):
        return segment_path(path, segment + 1, spare=True)
    return file
