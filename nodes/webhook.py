"""`webhook`: every event posted as JSON to an address of the user's."""

import hashlib
import hmac
import time
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from engine import Policy, Sink
from nodes.messages import Event
from nodes.plant.event_json import event_json
from nodes.plant.ledger import Ledger
from nodes.plant.postman import Letter, Postman
from nodes.secret import Secret, read_secret
from spikemm.exceptions import OptionError, SpikeMMError

__all__ = ["Webhook"]


class WebhookOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Options of `webhook`."""

    url: Annotated[
        str, Meta(min_length=1, description="http(s) address; env:NAME or file:PATH where the address is a secret.")
    ]
    token: Annotated[Secret | None, Meta(description="Sent as Authorization: Bearer; env:NAME or file:PATH.")] = None
    signing_key: Annotated[
        Secret | None,
        Meta(description="Key of the HMAC-SHA256 of the body in X-SpikeMM-Signature; env:NAME or file:PATH."),
    ] = None
    timeout_s: Annotated[float, Meta(gt=0, le=60, description="How long one try may take, s.")] = 10.0
    give_up_s: Annotated[float, Meta(gt=0, description="How long an event is worth a try, s.")] = 3600.0
    queue: Annotated[int, Meta(ge=1, le=100_000, description="Events that wait at most; the oldest is dropped.")] = 1000
    flush_s: Annotated[float, Meta(ge=0, le=20, description="How long the end of the run waits for delivery, s.")] = 5.0

    def address(self) -> str:
        """Return the address itself; raises OptionError."""
        secret = self.url.startswith(("env:", "file:"))
        url = read_secret("url", self.url) if secret else self.url
        if not url.isascii() or not url.isprintable() or " " in url:
            raise OptionError("url: it must be ASCII without spaces; percent-encode what is not (ü is %C3%BC)")
        try:
            parts = urlsplit(url)
            _ = parts.port
        except ValueError as error:
            raise OptionError(f"url: {error}; give http://HOST:PORT/PATH") from None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            shown = self.url if secret or parts.username is None else f"{parts.scheme}://…@{parts.hostname}"
            raise OptionError(f"url: {shown} is no http or https address without a user's name; put a secret in token")
        return url


class Webhook(Sink):
    """Post events; what the network does never holds up the stream.

    An event is delivered at least once, in order: a receiver that knows its ``id`` already leaves it out.

    Events wait in memory: those that wait when the process is killed, or the machine loses its power, are lost; a
    restart counts them as ``events_lost``.
    """

    Options = WebhookOptions
    accepts = Event
    policy = Policy("block")
    user_errors = (SpikeMMError,)

    _postman: Postman | None = None

    @classmethod
    def check(cls, options: WebhookOptions) -> None:
        """Check the address and that the secrets are there."""
        options.address()
        _secrets(options)

    def setup(self) -> None:
        """Start the thread that delivers."""
        options = self.options
        self._secrets = _secrets(options)
        url = options.address()
        self._server = urlsplit(url).hostname
        self._postman = Postman(url, capacity=options.queue, timeout_s=options.timeout_s, say=self.context.log.warning)
        self._ledger = Ledger(self.context, self._postman.counts)

    def process(self, event: Event, port: str) -> None:
        """Hand the event over."""
        body = event_json(event, self.context.pipeline)
        self._running().post(Letter(body, self._headers(body), time.monotonic() + self.options.give_up_s))
        self._ledger.update()

    def flush(self) -> None:
        """Wait for delivery, `flush_s` at most."""
        self._running().drain(self.options.flush_s)
        self._running().close()
        self._ledger.update()

    def status(self) -> dict[str, Any]:
        """Return what became of the events, and the server's name; never a secret."""
        self._ledger.update()
        postman = self._running()
        return {"server": self._server, "waiting": postman.waiting, **postman.counts}

    def close(self) -> None:
        """Stop to deliver."""
        if self._postman is not None:
            self._postman.close()
            self._ledger.update()

    def _headers(self, body: bytes) -> dict[str, str]:
        token, key = self._secrets
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if key:
            headers["X-SpikeMM-Signature"] = f"sha256={hmac.new(key.encode(), body, hashlib.sha256).hexdigest()}"
        return headers

    def _running(self) -> Postman:
        assert self._postman is not None, "setup comes first"
        return self._postman


def _secrets(options: WebhookOptions) -> tuple[str, str]:
    token = read_secret("token", options.token) if options.token else ""
    if not token.isascii():
        raise OptionError(
            f"token: {options.token} holds characters beyond ASCII, which no HTTP header takes: copy it anew"
        )
    return token, read_secret("signing_key", options.signing_key) if options.signing_key else ""
