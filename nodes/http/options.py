"""Options of the sinks that answer over HTTP."""

import re
from typing import Annotated

import msgspec
from msgspec import Meta

from engine import Live
from nodes.grey_scale import White
from nodes.secret import Secret, read_secret
from spikemm.exceptions import OptionError

__all__ = ["HttpOptions", "PictureOptions", "Port"]

Port = Annotated[int, Meta(ge=0, le=65535, description="Port; 0 takes a free one, a new one after a restart.")]
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,128}")  # what an address and a cookie hold as it is


class HttpOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Options of every sink that answers over HTTP."""

    listen: Annotated[
        str, Meta(min_length=1, description="Address to listen on; 0.0.0.0 for every network (needs a token).")
    ] = "127.0.0.1"
    port: Port = 0
    token: Annotated[
        Secret | None,
        Meta(description="What a visitor must know, as ?token= or as a bearer token; env:NAME or file:PATH."),
    ] = None

    def secret(self) -> str:
        """Return the token itself; empty where there is none. Raises OptionError."""
        token = read_secret("token", self.token) if self.token else ""
        if token and not _TOKEN.fullmatch(token):
            raise OptionError(f"token: {self.token} holds what no address takes; 1 to 128 letters, digits, - and _")
        return token


class PictureOptions(HttpOptions, kw_only=True, forbid_unknown_fields=True):
    """Options of those that show pictures."""

    max_fps: Annotated[float, Meta(ge=0.1, le=240, description="Pictures per second at most."), Live] = 30.0
    quality: Annotated[int, Meta(ge=1, le=100, description="Quality of the JPEGs."), Live] = 85
    white: White = None
