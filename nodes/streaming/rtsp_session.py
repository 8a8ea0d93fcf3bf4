"""Where RTP packets go: over UDP, or in a session with an RTSP server, which takes them over one TCP connection.

The server's side of RTSP 1.0 (RFC 2326) is announced a stream and then records it; 401 is answered with Basic or
Digest credentials (RFC 7617, RFC 7616).
"""

import base64
import contextlib
import hashlib
import re
import secrets
import select
import socket
import struct
import urllib.request
from typing import NamedTuple
from urllib.parse import urlsplit

__all__ = ["Login", "RtpSession", "RtspSession", "address_of"]

_TIMEOUT_S = 5.0  # of each step, also of a picture that the server does not take
_RTSP_PORT = 554
_ANSWER_LIMIT_BYTES = 65536
_SEND_BUFFER_BYTES = 65536  # what waits here grows old; the system's own choice would hold seconds
_VIDEO, _REPORTS = 0, 1  # channels of the connection
_CREATED = range(200, 300)


class Login(NamedTuple):
    """Name and password."""

    name: str
    password: str


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
        self._credentials = _Credentials(login)
        self._number = 0
        self._headers: dict[str, str] = {}
        self._received = b""
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
        transport = f"RTP/AVP/TCP;unicast;interleaved={_VIDEO}-{_REPORTS};mode=record"
        answer = self._ask("SETUP", f"{self._url.rstrip('/')}/streamid=0", {"Transport": transport})
        self._headers["Session"] = answer.get("session", "").partition(";")[0]
        self._ask("RECORD", self._url, {"Range": "npt=0.000-"})

    def send(self, packets: list[bytes], report: bytes | None) -> None:
        """Send a picture, and a report behind it if there is one."""
        self._listen()
        channels = [(_VIDEO, packet) for packet in packets] + ([] if report is None else [(_REPORTS, report)])
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
        while select.select([self._socket], [], [], 0)[0]:
            if not self._socket.recv(_ANSWER_LIMIT_BYTES):
                raise ConnectionError("the server has closed the connection")

    def _ask(self, method: str, url: str, headers: dict[str, str] | None = None, body: str = "") -> dict[str, str]:
        """Make a request; return the headers of the answer."""
        for _ in range(2):
            self._say(method, url, headers or {}, body)
            status, answer = self._answer()
            if status != 401 or not self._credentials.accept(answer.get("www-authenticate", "")):
                break
        if status not in _CREATED:
            raise ConnectionError(f"{method} is refused with status {status}")
        return answer

    def _say(self, method: str, url: str, headers: dict[str, str], body: str) -> None:
        self._number += 1
        given = {"CSeq": str(self._number), **self._headers, **self._credentials.header(method, url), **headers}
        if body:
            given["Content-Length"] = str(len(body.encode()))
        lines = [f"{method} {url} RTSP/1.0", *(f"{name}: {value}" for name, value in given.items())]
        self._socket.sendall("\r\n".join((*lines, "", body)).encode())

    def _answer(self) -> tuple[int, dict[str, str]]:
        """Read an answer: its status and headers, their names in small letters."""
        head, _, self._received = self._read_until(b"\r\n\r\n").partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        found = re.fullmatch(r"RTSP/1\.\d (\d{3})\b.*", first)
        if found is None:
            raise ConnectionError(f"what answers is no RTSP server: {first[:60]!r}")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        told = headers.get("content-length") or "0"
        if re.fullmatch(r"\d{1,9}", told) is None:
            raise ConnectionError(f"the server's answer is malformed: its Content-Length is {told[:60]!r}")
        length = int(told)
        while len(self._received) < length:
            self._receive()
        self._received = self._received[length:]
        return int(found[1]), headers

    def _read_until(self, end: bytes) -> bytes:
        while end not in self._received:
            self._receive()
        return self._received

    def _receive(self) -> None:
        data = self._socket.recv(_ANSWER_LIMIT_BYTES)
        self._received += data
        if not data or len(self._received) > _ANSWER_LIMIT_BYTES:
            raise ConnectionError("the server has closed the connection" if not data else "the answer has no end")


class _Credentials:
    """Answers a server that asks who publishes."""

    def __init__(self, login: Login | None) -> None:
        self._login = login
        self._challenge: dict[str, str] = {}
        self._answered = 0  # requests with the challenge's nonce

    def accept(self, challenge: str) -> bool:
        """Take a challenge; False where there is nothing to answer it with, or the answer was wrong.

        Raises
        ------
        ConnectionError
            If it is malformed.
        """
        kind, _, rest = challenge.partition(" ")
        if self._login is None or self._challenge or kind.lower() not in ("basic", "digest"):
            return False
        try:
            fields = urllib.request.parse_keqv_list(urllib.request.parse_http_list(rest))
        except (ValueError, IndexError):
            raise ConnectionError(f"the server's challenge is malformed: {challenge[:60]!r}") from None
        self._challenge = {**fields, "kind": kind.lower()}
        return True

    def header(self, method: str, url: str) -> dict[str, str]:
        """Return the header that a request carries, once a challenge is there."""
        if self._login is None or not self._challenge:
            return {}
        if self._challenge["kind"] == "digest":
            return {"Authorization": self._digest(self._login, method, url)}
        return {"Authorization": "Basic " + base64.b64encode(":".join(self._login).encode()).decode()}

    def _digest(self, login: Login, method: str, url: str) -> str:
        given = self._challenge
        algorithm = given.get("algorithm", "MD5")
        name = "sha256" if algorithm.upper() == "SHA-256" else "md5"

        def digest(*parts: str) -> str:
            return hashlib.new(name, ":".join(parts).encode(), usedforsecurity=False).hexdigest()

        realm, nonce, own = given.get("realm", ""), given.get("nonce", ""), secrets.token_hex(8)
        secret, request = digest(login.name, realm, login.password), digest(method, url)
        fields = {"username": login.name, "realm": realm, "nonce": nonce, "uri": url}
        words = {"algorithm": algorithm}
        if "auth" in given.get("qop", ""):
            self._answered += 1
            count = f"{self._answered:08x}"
            words |= {"qop": "auth", "nc": count}
            fields |= {"cnonce": own, "response": digest(secret, nonce, count, own, "auth", request)}
        else:
            fields["response"] = digest(secret, nonce, request)
        quoted = [f'{key}="{value}"' for key, value in fields.items()]
        return "Digest " + ", ".join((*quoted, *(f"{key}={value}" for key, value in words.items())))
