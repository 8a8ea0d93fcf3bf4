"""`null`: take messages and do nothing, fast or slowly."""

import time
from typing import Annotated

import msgspec
from msgspec import Meta

from engine import Live, Message, Sink

__all__ = ["Null"]


class NullOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Options of `null`."""

    delay_ms: Annotated[float, Meta(ge=0, le=60_000, description="Time to spend on each message."), Live] = 0.0


class Null(Sink):
    """Count items of any kind and drop them; with `delay_ms` it plays a slow consumer, for trying out links."""

    Options = NullOptions
    accepts = Message

    def process(self, message: Message, port: str) -> None:
        """Count the items, then dawdle."""
        self.context.count("items", message.count)
        if self.options.delay_ms:
            time.sleep(self.options.delay_ms / 1000)
