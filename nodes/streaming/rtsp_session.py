"""Where RTP packets go: over UDP, or in a session with an RTSP server, which takes them over one TCP connection.

The server's side of RTSP 1.0 (RFC 2326) is announced a stream and then records it.
"""

import contextlib
import re
import select
import socket
import struct
import time
from typing import NamedTuple
from urllib.parse import urlsplit

from nodes.streaming.rtsp_login import Credentials, Login

__all__ = ["RtpSession", "RtspSession", "address_of"]

_TIMEOUT_S = 5.0  # of each step: a connection, a whole answer, a picture that the server does not take
_RTSP_PORT = 554
_ANSWER_LIMIT_BYTES = 65536
_SEND_BUFFER_BYTES = 65536  # what waits here grows old; the system's own choice would hold seconds
_READS_AT_ONCE = 16  # of what a server says beside the pictures: one that never stops must not hold them up
_CREATED = range(200, 300)


class _Answer(NamedTuple):
    """What a server has answered; names of headers are in small letters."""

    status: int
    headers: dict[str, str]
    challenges: list[str]


def address_of(url: str) -> tuple[str, int]:
    """Return host and port of an address; port 554 of ``rtsp://`` need not be named.

    Raises
    ------
    ValueError
        If it names no host, or no port where it must.
    """
    parts = urlsplit(url)
    port = parts.port or (_RTSP_PORT if parts.scheme == "rtsp" else None)
    if not parts.hostname or port is None:
        raise ValueError("it names no host" if port else "it names no host and port")
    return parts.hostname, port


class RtpSession:
    """Packets over UDP: the even port for pictures, the next one for reports.

    Raises
    ------
    OSError
        From every method: if the network refuses.
    """

    def __init__(self, url: str) -> None:
        host, port = address_of(url)
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        self._address: tuple[str, int] = (str(address[0]), port)
        self._socket = socket.socket(family, socket.SOCK_DGRAM)

    def send(self, packets: list[bytes], report: bytes | None) -> None:
        """Send a picture, and a report behind it if there is one; whether anybody takes them is not known."""
        for packet in packets:
            self._socket.sendto(packet, self._address)
        if report is not None:
            self._socket.sendto(report, (self._address[0], self._address[1] + 1))

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def abort(self) -> None:
        """Nothing ever waits here."""


class RtspSession:
    """A stream that is published at a server.

    Parameters
    ----------
    url : str
        ``rtsp://host[:port]/path``.
    login : Login or None
        What is answered to a server that asks who publishes.
    description : str
        The stream's description.

    Raises
    ------
    OSError
        From every method: if the server cannot be reached, refuses, or takes nothing for 5 s.
    """

    def __init__(self, url: str, login: Login | None, description: str) -> None:
        self._url = url
        self._credentials = Credentials(login)
        self._number = 0
        self._headers: dict[str, str] = {}
        self._received = b""
        self._video, self._reports = 0, 1
        self._socket = socket.create_connection(address_of(url), timeout=_TIMEOUT_S)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._publish(description)
        except BaseException:
            self._socket.close()
            raise

    def _publish(self, description: str) -> None:
        self._ask("OPTIONS", self._url)
        self._ask("ANNOUNCE", self._url, {"Content-Type": "application/sdp"}, description)
        transport = "RTP/AVP/TCP;unicast;interleaved=0-1;mode=record"
        answer = self._ask("SETUP", f"{self._url.rstrip('/')}/streamid=0", {"Transport": transport})
        self._video, self._reports = _channels(answer.get("transport", transport))
        self._headers["Session"] = answer.get("session", "").partition(";")[0].strip()
        if not self._headers["Session"]:
            raise ConnectionError("the server's answer to SETUP names no session")
        self._ask("RECORD", self._url, {"Range": "npt=0.000-"})
        self._socket.settimeout(_TIMEOUT_S)

    def send(self, packets: list[bytes], report: bytes | None) -> None:
        """Send a picture, and a report behind it if there is one."""
        self._listen()
        reports = [] if report is None else [(self._reports, report)]
        channels = [(self._video, packet) for packet in packets] + reports
        framed = b"".join(struct.pack(">cBH", b"$", channel, len(packet)) + packet for channel, packet in channels)
        self._socket.sendall(framed)

    def close(self) -> None:
        """Take leave, without waiting for an answer."""
        with contextlib.suppress(OSError):  # it may be gone already, or too slow to be told
            self._socket.settimeout(0.0)
            self._say("TEARDOWN", self._url, {}, "")
        self._socket.close()

    def abort(self) -> None:
        """Wake a thread that waits for the server; from another thread."""
        with contextlib.suppress(OSError):  # it may be closed already
            self._socket.shutdown(socket.SHUT_RDWR)

    def _listen(self) -> None:
        """Take what the server says meanwhile, such as its reports; notice that it has left."""
        for _ in range(_READS_AT_ONCE):
            if not select.select([self._socket], [], [], 0)[0]:
                return
            if not self._socket.recv(_ANSWER_LIMIT_BYTES):
                raise ConnectionError("the server has closed the connection")

    def _ask(self, method: str, url: str, headers: dict[str, str] | None = None, body: str = "") -> dict[str, str]:
        """Make a request; return the headers of the answer."""
        for _ in range(2):
            self._socket.settimeout(_TIMEOUT_S)
            self._say(method, url, headers or {}, body)
            answer = self._answer()
            if answer.status != 401 or not self._credentials.accept(answer.challenges):
                break
        if answer.status not in _CREATED:
            raise ConnectionError(f"{method} is refused with status {answer.status}")
        return answer.headers

    def _say(self, method: str, url: str, headers: dict[str, str], body: str) -> None:
        self._number += 1
        given = {"CSeq": str(self._number), **self._headers, **self._credentials.header(method, url), **headers}
        if body:
            given["Content-Length"] = str(len(body.encode()))
        lines = [f"{method} {url} RTSP/1.0", *(f"{name}: {value}" for name, value in given.items())]
        self._socket.sendall("\r\n".join((*lines, "", body)).encode())

    def _answer(self) -> _Answer:
        """Read on to the answer to the last request, over interim ones and those to others."""
        deadline = time.monotonic() + _TIMEOUT_S
        while True:
            answer = self._read_answer(deadline)
            meant = answer.headers.get("cseq", str(self._number)) == str(self._number)
            if meant and answer.status >= min(_CREATED):
                return answer

    def _read_answer(self, deadline: float) -> _Answer:
        head, _, self._received = self._read_until(b"\r\n\r\n", deadline).partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        found = re.fullmatch(r"RTSP/1\.\d (\d{3})\b.*", first)
        if found is None:
            raise ConnectionError(f"what answers is no RTSP server: {first[:60]!r}")
        named = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        headers = dict(named)
        told = headers.get("content-length") or "0"
        if re.fullmatch(r"\d{1,9}", told) is None:
            raise ConnectionError(f"the server's answer is malformed: its Content-Length is {told[:60]!r}")
        while len(self._received) < int(told):
            self._receive(deadline)
        self._received = self._received[int(told) :]
        return _Answer(int(found[1]), headers, [value for name, value in named if name == "www-authenticate"])

    def _read_until(self, end: bytes, deadline: float) -> bytes:
        while end not in self._received:
            self._receive(deadline)
        return self._received

    def _receive(self, deadline: float) -> None:
        self._socket.settimeout(max(deadline - time.monotonic(), 1e-3))
        try:
            data = self._socket.recv(_ANSWER_LIMIT_BYTES)
        except TimeoutError:
            raise TimeoutError(f"the server has not answered within {_TIMEOUT_S:g} s") from None
        self._received += data
        if not data or len(self._received) > _ANSWER_LIMIT_BYTES:
            raise ConnectionError("the server has closed the connection" if not data else "the answer has no end")


def _channels(transport: str) -> tuple[int, int]:
    """Return the channels for pictures and reports that a server has chosen."""
    found = re.search(r"interleaved=(\d{1,3})-(\d{1,3})(?!\d)", transport)
    channels = (int(found[1]), int(found[2])) if found else (256, 256)
    if "TCP" not in transport or max(channels) > 255:
        raise ConnectionError(f"the server wants another way of transport: {transport[:60]!r}")
    return channels
