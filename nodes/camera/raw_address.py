"""Where raw bytes come from: addresses of pipes and sockets, and how each is opened."""

import os
import select
import socket
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from spikemm.exceptions import OptionError

__all__ = ["Opener", "RawAddress"]

_FORMS = "stdin, fifo:PATH, tcp://HOST:PORT, tcp-listen://127.0.0.1:PORT, unix:PATH, unix-listen:PATH"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_LOOK_S = 0.1
_DIAL_S = 2.0
_PIPE_BYTES = 1 << 20
_F_SETPIPE_SZ = 1031


class Opener(Protocol):
    """Opens an address, as often as a sender comes."""

    def open(self) -> int | None:
        """Return a file descriptor that does not block; None if nobody was there within about 0.1 s."""

    def close(self) -> None:
        """Be there for nobody any more."""


class RawAddress(NamedTuple):
    """A parsed address.

    Attributes
    ----------
    kind : {'stdin', 'fifo', 'tcp', 'tcp-listen', 'unix', 'unix-listen'}
        What it is.
    place : str
        Path or host.
    port : int
        For the two of TCP.
    """

    kind: Literal["stdin", "fifo", "tcp", "tcp-listen", "unix", "unix-listen"]
    place: str = ""
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> "RawAddress":
        """Read an address as a pipeline file writes it, and look whether it can be opened.

        Raises
        ------
        OptionError
            If it is no address, or names something that cannot be read from.
        """
        kind, _, rest = text.partition(":")
        match kind:
            case "stdin" if not rest:
                address = cls("stdin")
            case "fifo" | "unix" | "unix-listen" if rest:
                address = cls(kind, rest)
            case "tcp" | "tcp-listen" if rest.startswith("//"):
                host, _, port = rest.removeprefix("//").rpartition(":")
                if not host or not port.isdecimal() or not 0 < int(port) < 65536:
                    raise OptionError(f"address {text!r}: write {kind}://HOST:PORT, with a port from 1 to 65535")
                address = cls(kind, host.strip("[]"), int(port))
            case _:
                raise OptionError(f"address {text!r} is none of {_FORMS}")
        address._check(text)
        return address

    def _check(self, text: str) -> None:
        if self.kind == "tcp-listen" and self.place not in _LOOPBACK:
            raise OptionError(
                f"address {text!r}: raw bytes carry no keys, so it listens on loopback only: listen at "
                f"tcp-listen://127.0.0.1:{self.port} and let the sender's host forward to it (ssh -L)"
            )
        if self.kind == "fifo" and not (Path(self.place).exists() and stat.S_ISFIFO(Path(self.place).stat().st_mode)):
            raise OptionError(f"address {text!r}: there is no such FIFO: make it first (mkfifo {self.place})")
        if self.kind == "stdin" and sys.platform != "linux":
            raise OptionError("address 'stdin': standard input is read on Linux only: use a FIFO (fifo:PATH)")
        if self.kind == "stdin" and sys.stdin is not None and sys.stdin.isatty():
            raise OptionError("address 'stdin': standard input is a terminal: pipe steps into it")

    @property
    def is_pipe(self) -> bool:
        """True where a new reader would begin in the middle of a step."""
        return self.kind in ("stdin", "fifo")

    def opener(self) -> Opener:
        """Return what opens the address; one that listens does so from now on.

        Raises
        ------
        OptionError
            If it cannot listen there.
        """
        if self.is_pipe:
            # A child's own standard input is the supervisor's line to it; what is meant is the supervisor's.
            return _Pipe(f"/proc/{os.getppid()}/fd/0" if self.kind == "stdin" else self.place)
        family = (
            socket.AF_UNIX if self.kind.startswith("unix") else socket.AF_INET6 if ":" in self.place else socket.AF_INET
        )
        where = self.place if family == socket.AF_UNIX else (self.place, self.port)
        if not self.kind.endswith("-listen"):
            return _Caller(family, where)
        try:
            return _Listener(family, where)
        except OSError as error:
            raise OptionError(
                f"address {self.kind} {where}: cannot listen there ({error.strerror}): choose another"
            ) from None


class _Pipe:
    """A pipe with a name."""

    def __init__(self, path: str) -> None:
        self._path = path

    def open(self) -> int:
        descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK)
        with suppress(OSError, ImportError):  # a larger pipe only saves switches between two processes
            import fcntl

            fcntl.fcntl(descriptor, _F_SETPIPE_SZ, _PIPE_BYTES)
        return descriptor

    def close(self) -> None:
        pass


class _Caller:
    """Goes to the sender."""

    def __init__(self, family: int, where: str | tuple[str, int]) -> None:
        self._family, self._where = family, where

    def open(self) -> int | None:
        caller = socket.socket(self._family)
        caller.settimeout(_DIAL_S)
        try:
            caller.connect(self._where)
        except socket.gaierror:  # no such host: it will not come up by itself
            caller.close()
            raise
        except OSError:
            caller.close()
            select.select([], [], [], _LOOK_S)
            return None
        return _made_ready(caller)

    def close(self) -> None:
        pass


class _Listener:
    """Lets the sender come, one at a time."""

    def __init__(self, family: int, where: str | tuple[str, int]) -> None:
        self._path = Path(where) if isinstance(where, str) else None
        if self._path is not None and self._path.is_socket():
            self._remove_what_a_crash_left(self._path)
        self._socket = socket.socket(family)
        if self._path is None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(where)
        if self._path is not None:
            self._path.chmod(0o600)
        self._socket.listen(1)

    @staticmethod
    def _remove_what_a_crash_left(path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()

    def open(self) -> int | None:
        if not select.select([self._socket], [], [], _LOOK_S)[0]:
            return None
        return _made_ready(self._socket.accept()[0])

    def close(self) -> None:
        self._socket.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def _made_ready(connected: socket.socket) -> int:
    connected.setblocking(False)
    if connected.family != socket.AF_UNIX:  # a sender whose cable was pulled says no good-bye
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (("TCP_KEEPIDLE", 3), ("TCP_KEEPINTVL", 1), ("TCP_KEEPCNT", 3)):
            if hasattr(socket, name):
                connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return connected.detach()
