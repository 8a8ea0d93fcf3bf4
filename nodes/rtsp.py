"""`rtsp`: H.264 to an RTSP server, or as RTP to a player; for an H.264 file see `video`."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from engine import Policy, Sink
from engine.exceptions import PipelineError
from nodes.grey_scale import GreyScale, White
from nodes.messages import Frames
from nodes.secret import Secret, read_secret
from nodes.streaming.pace import Pace
from nodes.streaming.rtsp_login import Login
from nodes.streaming.rtsp_publisher import Publisher
from nodes.streaming.rtsp_session import address_of
from spikemm.exceptions import SpikeMMError

__all__ = ["RTSP"]


class RTSPOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Options of `rtsp`."""

    url: Annotated[
        str, Meta(min_length=1, description="rtsp://host[:port]/path of a server, or rtp://host:port of a player.")
    ]
    username: Annotated[str | None, Meta(description="Name to log in with at an rtsp:// server.")] = None
    password: Annotated[Secret | None, Meta(description="env:NAME or file:PATH.")] = None
    sdp: Annotated[str, Meta(description="File for the description of an rtp:// stream, which players open.")] = ""
    fps: Annotated[float, Meta(ge=0.1, le=240, description="Pictures per second at most.")] = 25.0
    mbit_s: Annotated[float, Meta(ge=0.1, le=200, description="Bit rate at most, 10⁶ bits per second.")] = 6.0
    white: White = None


class RTSP(Sink):
    """Publish the newest picture, `fps` times a second at most; a slow or absent network never slows the stream.

    Time stamps are those at which the last step of a picture left the source, and sender reports tie them to the wall
    clock. A connection that fails is made anew, at intervals that grow from 0.5 to 8 s; a new picture size makes a new
    one at once.
    """

    Options = RTSPOptions
    accepts = Frames
    policy = Policy("latest", depth=1)
    user_errors = (SpikeMMError,)

    _publisher: Publisher | None = None

    @classmethod
    def check(cls, options: RTSPOptions) -> None:
        """Look whether the address makes sense, the password is there, and the description can be written."""
        scheme, parts = urlsplit(options.url).scheme, urlsplit(options.url)
        if parts.username is not None or parts.password is not None:
            raise PipelineError(
                f"url: {parts.hostname} with a user's name in it; give username, and password: env:NAME"
            )
        if scheme not in ("rtsp", "rtp"):
            raise PipelineError(f"url: {options.url!r} is neither rtsp://host/path nor rtp://host:port")
        try:
            address_of(options.url)
        except ValueError as error:
            raise PipelineError(f"url: {options.url!r} cannot be used: {error}") from None
        _login(options)
        if (scheme == "rtp") != bool(options.sdp):
            raise PipelineError(
                "sdp: name a file, such as live.sdp: players of an rtp:// stream cannot do without"
                if scheme == "rtp"
                else f"sdp: {options.sdp!r} would not be written: an rtsp:// server hands the description out itself"
            )
        if options.sdp and not Path(options.sdp).parent.is_dir():
            raise PipelineError(f"sdp: {options.sdp}: there is no folder {Path(options.sdp).parent}; make it first")

    def setup(self) -> None:
        """Start the thread that sends; the connection is made with the first picture."""
        options = self.options
        self._pace = Pace()
        self._publisher = Publisher(
            options.url,
            _login(options),
            name=f"SpikeMM {self.context.pipeline}".strip(),
            description_file=Path(options.sdp) if options.sdp else None,
            grey=GreyScale(options.white),
            fps=options.fps,
            mbit_s=options.mbit_s,
            count=self.context.count,
            warn=self.context.log.warning,
        )

    def process(self, frames: Frames, port: str) -> None:
        """Hand the newest frame over, if one is due."""
        due = self._pace.due(self.context.clock.now(), self.options.fps)
        self.context.count("frames_skipped", frames.count - due)
        if due:
            self._running().offer(frames)

    def status(self) -> dict[str, Any]:
        """Where pictures go, and whether they can."""
        publisher = self._running()
        return {
            "url": self.options.url,
            "connected": publisher.connected,
            "pictures_sent": publisher.sent,
            "failure": publisher.failure,
        }

    def close(self) -> None:
        """Take leave of the server."""
        if self._publisher is not None:
            self._publisher.close()

    def _running(self) -> Publisher:
        assert self._publisher is not None, "setup comes first"
        return self._publisher


def _login(options: RTSPOptions) -> Login | None:
    if (options.username is None) != (options.password is None):
        raise PipelineError("username and password: give both, or neither")
    if options.username is None or options.password is None:
        return None
    if urlsplit(options.url).scheme != "rtsp":
        raise PipelineError("username: nobody is asked for it over rtp://; leave it out")
    return Login(options.username, read_secret("password", options.password))
