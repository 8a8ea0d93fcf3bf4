"""Where a server listens, and how visitors find it."""

import ipaddress
import socket

from engine.exceptions import LinkError, PipelineError

__all__ = ["bind", "is_loopback", "page_url", "require_free", "with_token"]


def is_loopback(name: str) -> bool:
    """Tell whether a host name or address means this machine only."""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def bind(listen: str, port: int) -> socket.socket:
    """Return a socket that is bound, but does not listen yet.

    Raises
    ------
    LinkError
        If the address cannot be had; the text names it and the remedy.
    """
    try:
        found = socket.getaddrinfo(listen, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise LinkError(f"listen: {listen!r} is no address of this machine ({error.strerror}); try 127.0.0.1") from None
    family, kind, protocol, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    bound = socket.socket(family, kind, protocol)
    try:
        # as the server itself does: connections of a run that has just ended must not keep the port
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise LinkError(
            f"port {port} on {listen} cannot be had ({error.strerror}): end what uses it, or choose another port "
            "(port: 0 takes a free one)"
        ) from None
    return bound


def require_free(listen: str, port: int) -> None:
    """Look, before anything starts, whether an address can be had; raises PipelineError."""
    try:
        bind(listen, port).close()
    except LinkError as error:
        raise PipelineError(str(error)) from None


def page_url(listen: str, port: int) -> str:
    """Return the address to open; where the server listens everywhere, by this machine's name."""
    host = socket.gethostname() if listen in {"0.0.0.0", "::"} else listen
    host = f"[{host}]" if ":" in host else host
    return f"http://{host}:{port}/"


def with_token(url: str, token: str) -> str:
    """Return an address with the token in it, for whoever started the run; no status may hold it."""
    return f"{url}?token={token}" if token else url
