"""Who may look: where the page listens, and which requests it answers.

The page drives a machine's instrument, so a site that is open in another tab must not reach it. On loopback the
``Host`` must be a loopback name (a foreign name that resolves to it is refused), a WebSocket's ``Origin`` must be
the page itself, and beyond loopback every request needs the token.
"""

import hmac
import ipaddress
import socket
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from engine.exceptions import LinkError

__all__ = ["bind", "guard", "is_loopback", "page_url", "protect", "same_origin"]

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


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


def page_url(listen: str, port: int, token: str) -> str:
    """Return the address to open; where the page listens everywhere, by this machine's name."""
    host = socket.gethostname() if listen in {"0.0.0.0", "::"} else listen
    host = f"[{host}]" if ":" in host else host
    return f"http://{host}:{port}/" + (f"?token={token}" if token else "")


def same_origin(request: web.Request) -> bool:
    """Tell whether a request comes from the page itself, or from a program that is no browser."""
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.host


def guard(token: str, *, loopback: bool) -> Middleware:
    """Return the middleware that every request passes."""

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        if loopback and not is_loopback(urlsplit(f"//{request.host}").hostname or ""):
            raise web.HTTPForbidden(text=f"{request.host} is not this machine; open the page as http://127.0.0.1\n")
        if token and not _knows(request, token):
            raise web.HTTPForbidden(text="this page needs its token: open the address printed at the start\n")
        response = await handler(request)
        if not response.prepared:
            _remember(request, response, token)
        return response

    return guarded


async def protect(request: web.Request, response: web.StreamResponse) -> None:
    """Give every answer, also a stream or a refusal, its headers; for the application's `on_response_prepare`."""
    response.headers.update(_HEADERS)


def _cookie(request: web.Request) -> str:
    """Name of the cookie; cookies are shared between the ports of a host, so the port is part of it."""
    return f"spikemm_{urlsplit(f'//{request.host}').port or 80}"


def _knows(request: web.Request, token: str) -> bool:
    bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
    offered = request.query.get("token") or request.cookies.get(_cookie(request)) or bearer
    return hmac.compare_digest(offered.encode(), token.encode())


def _remember(request: web.Request, response: web.StreamResponse, token: str) -> None:
    """Leave the token as a cookie, so that the page's own files need not repeat it."""
    if token and "token" in request.query:
        response.set_cookie(_cookie(request), token, httponly=True, samesite="Strict")
