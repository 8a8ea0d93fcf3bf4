"""Secrets: read from a file or the environment, so that they stand in no pipeline file, status or summary."""

import os
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from spikemm.exceptions import OptionError

__all__ = ["Secret", "read_secret"]

Secret = Annotated[str, Meta(pattern=r"^(env|file):.+$")]
"""What an option holds in place of a secret: ``env:NAME`` or ``file:PATH``."""

_LONGEST = 4096


def read_secret(option: str, reference: str) -> str:
    """Return the secret that a reference names.

    Parameters
    ----------
    option : str
        The option, for messages.
    reference : str
        ``env:NAME`` (a variable of the environment) or ``file:PATH`` (a file; space around its text is left out).

    Raises
    ------
    OptionError
        If there is none; the text never holds the secret.
    """
    where, _, name = reference.partition(":")
    try:
        text = os.environ[name] if where == "env" else Path(name).read_text(encoding="utf-8")
    except KeyError:
        raise OptionError(f"{option}: the environment has no {name}; export it before the start") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise OptionError(f"{option}: {name} cannot be read ({reason})") from None
    secret = text.strip()
    if not secret or len(secret) > _LONGEST or not secret.isprintable():
        raise OptionError(f"{option}: {reference} holds no secret; 1 to {_LONGEST} printable characters in one line")
    return secret
