"""Encode the newest picture and send it, in a thread of its own: a slow or absent network never holds up the stream."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from engine.envelope import host_array
from nodes.grey_scale import GreyScale
from nodes.messages import Frames
from nodes.streaming.h264_encoder import RTP_CLOCK_HZ, H264Encoder
from nodes.streaming.rtp import Packetizer, nal_units, session_description
from nodes.streaming.rtsp_login import Login
from nodes.streaming.rtsp_session import RtpSession, RtspSession, address_of

__all__ = ["Publisher"]

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 8.0
_REPORT_EVERY_S = 2.0
_GOODBYE_S = 0.5


class _Picture(NamedTuple):
    grey: NDArray[np.uint8]
    wall_s: float


@dataclass
class _Stream:
    """One encoder with the session that it feeds."""

    encoder: H264Encoder
    packetizer: Packetizer
    size: tuple[int, ...]
    session: RtpSession | RtspSession | None = None
    timestamp: int = 0
    report_due: float = 0.0


class Publisher:
    """Sends pictures to ``rtsp://`` or ``rtp://``; joins again, at growing intervals, when that fails.

    Parameters
    ----------
    url : str
        Where to.
    login : Login or None
        See `RtspSession`.
    name : str
        The session's name.
    description_file : Path or None
        Where the description of an ``rtp://`` stream is written.
    grey : GreyScale
        The mapping from light to grey.
    fps, mbit_s : float
        See `H264Encoder`.
    count : callable
        Adds one to a counter of that name: ``frames_replaced`` by newer ones before they were sent, ``frames_unsent``
        while there was no connection, ``connections_lost``.
    warn : callable
        Takes a line for the user.

    Attributes
    ----------
    sent : int
        Pictures sent.
    failure : str
        Why there is no connection; empty while there is one.
    """

    def __init__(
        self,
        url: str,
        login: Login | None,
        *,
        name: str,
        description_file: Path | None,
        grey: GreyScale,
        fps: float,
        mbit_s: float,
        count: Callable[[str], None],
        warn: Callable[[str], None],
    ) -> None:
        self._url, self._login, self._name, self._file = url, login, name, description_file
        self._grey, self._fps, self._mbit_s = grey, fps, mbit_s
        self._count, self._warn = count, warn
        self.sent = 0
        self.failure = ""
        self._lock = threading.Condition()
        self._next: Frames | None = None
        self._stopped = False
        self._crash: Exception | None = None
        self._stream: _Stream | None = None
        self._wait_s, self._retry_at = 0.0, 0.0
        # a daemon: a name that is looked up or a connection that is made for long must not hold up the end
        self._thread = threading.Thread(target=self._run, name="rtsp", daemon=True)
        self._thread.start()

    @property
    def connected(self) -> bool:
        """True while pictures can be sent."""
        return self._stream is not None and self._stream.session is not None

    def offer(self, frames: Frames) -> None:
        """Leave the newest frame of a message to be sent, in place of one that has not been looked at.

        Raises
        ------
        Exception
            What ended the thread, if anything did.
        """
        with self._lock:
            if self._crash is not None:
                raise self._crash
            if self._next is not None:
                self._count("frames_replaced")
            self._next = frames
            self._lock.notify()

    def close(self) -> None:
        """Take leave of the server and end; a server that does not listen is not waited for."""
        with self._lock:
            self._stopped = True
            self._lock.notify()
        stream = self._stream
        self._thread.join(_GOODBYE_S)
        if self._thread.is_alive() and stream is not None and stream.session is not None:
            stream.session.abort()
            self._thread.join(_GOODBYE_S)

    def _run(self) -> None:
        try:
            while not self._stopped:
                frames = self._take()
                if frames is None:
                    self._send([], time.time())  # a server drops a connection that rests
                else:
                    self._publish(_Picture(self._grey(host_array(frames.pixels[-1])), frames.source_time))
        except Exception as error:
            with self._lock:
                self._crash = error
        finally:
            self._hang_up()

    def _take(self) -> Frames | None:
        """Wait for a frame, but no longer than until the next report."""
        with self._lock:
            if not self._stopped and self._next is None:
                self._lock.wait(_REPORT_EVERY_S)
            frames, self._next = self._next, None
            return frames

    def _publish(self, picture: _Picture) -> None:
        if self._stream is not None and self._stream.size != picture.grey.shape:
            self._hang_up()
        if self._stream is None and time.monotonic() < self._retry_at:
            self._count("frames_unsent")
            return
        stream = self._stream = self._stream or self._begin(picture)
        ticks = round(picture.wall_s * RTP_CLOCK_HZ)
        stream.timestamp = max(ticks, stream.timestamp + 1)  # the wall clock may be set back
        units = nal_units(stream.encoder.encode(picture.grey, stream.timestamp))
        if stream.session is None and not self._join(stream, units):
            self._count("frames_unsent")
            return
        if self._send(stream.packetizer.packets(units, stream.timestamp), picture.wall_s):
            self.sent += 1
        else:
            self._count("frames_unsent")

    def _begin(self, picture: _Picture) -> _Stream:
        height, width = picture.grey.shape
        encoder = H264Encoder(height, width, self._fps, self._mbit_s)
        return _Stream(encoder, Packetizer(), picture.grey.shape)

    def _join(self, stream: _Stream, units: list[bytes]) -> bool:
        try:
            stream.session = self._open(units)
        except OSError as error:
            self._fail(error)
            return False
        if self.failure:
            self._warn(f"{self._url}: connected")
        self.failure, self._wait_s = "", 0.0
        return True

    def _open(self, units: list[bytes]) -> RtpSession | RtspSession:
        if urlsplit(self._url).scheme == "rtsp":
            return RtspSession(self._url, self._login, session_description(units, "0.0.0.0", 0, self._name))
        session = RtpSession(self._url)
        if self._file is not None:
            self._file.write_text(session_description(units, *address_of(self._url), self._name))
        return session

    def _send(self, packets: list[bytes], wall_s: float) -> bool:
        """Send a picture's packets, or none, and a report when it is due."""
        stream = self._stream
        if stream is None or stream.session is None:
            return False
        report = None
        if time.monotonic() >= stream.report_due or not packets:
            stream.report_due = time.monotonic() + _REPORT_EVERY_S
            report = stream.packetizer.sender_report(wall_s, round(wall_s * RTP_CLOCK_HZ))
        try:
            stream.session.send(packets, report)
        except OSError as error:
            self._count("connections_lost")
            self._fail(error)
            return False
        return True

    def _fail(self, error: OSError) -> None:
        """Hang up, say why if that is news, and wait longer each time."""
        self._hang_up()
        reason = error.strerror or str(error)
        if not self.failure:
            self._warn(f"{self._url}: {reason}; frames are left out until it can be reached again")
        self.failure = reason
        self._wait_s = min(max(2 * self._wait_s, _FIRST_WAIT_S), _LONGEST_WAIT_S)
        self._retry_at = time.monotonic() + self._wait_s

    def _hang_up(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None and stream.session is not None:
            stream.session.close()
