"""The folder that a long command will write into, looked at before its hours of work."""

from pathlib import Path
from tempfile import TemporaryFile

from spikemm.exceptions import OptionError

__all__ = ["ready_folder"]


def ready_folder(folder: Path) -> None:
    """Make a folder where there is none, and try to write into it.

    Raises
    ------
    OptionError
        If it cannot be made, is a file, or takes no files.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except (FileExistsError, NotADirectoryError):
        raise OptionError(f"{folder} is no folder: choose another place") from None
    except OSError as error:
        raise OptionError(f"{folder}: no file can be written there ({error.strerror}): choose another place") from error
