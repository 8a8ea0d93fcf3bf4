"""Who may come in: which requests a server answers.

The page drives a machine's instrument, so a site that is open in another tab must not reach it. On loopback the
``Host`` must be a loopback name (a foreign name that resolves to it is refused), a WebSocket's ``Origin`` must be
the page itself, and beyond loopback every request needs the token.
"""

import hmac
from typing import NamedTuple
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from nodes.http.listen import is_loopback

__all__ = ["guard", "protect", "same_origin"]

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


class _Called(NamedTuple):
    """What a visitor calls the server."""

    name: str
    port: int


def same_origin(request: web.Request) -> bool:
    """Tell whether a request comes from the page itself, or from a program that is no browser."""
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    try:
        return urlsplit(origin).netloc == request.headers.get("Host")
    except ValueError:
        return False


def guard(token: str, *, loopback: bool) -> Middleware:
    """Return the middleware that every request passes."""

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        called = _called(request)
        if loopback and not is_loopback(called.name):
            raise web.HTTPForbidden(text=f"{called.name!r} is not this machine; open http://127.0.0.1:{called.port}\n")
        cookie = f"spikemm_{called.port}"  # cookies are shared between the ports of a host
        if token and not _knows(request, cookie, token):
            raise web.HTTPForbidden(text="this page needs its token: open the address printed at the start\n")
        response = await handler(request)
        if token and "token" in request.query and not response.prepared:
            response.set_cookie(cookie, token, httponly=True, samesite="Strict")  # the page's files need not repeat it
        return response

    return guarded


async def protect(request: web.Request, response: web.StreamResponse) -> None:
    """Give every answer, also a stream or a refusal, its headers; for the application's `on_response_prepare`."""
    response.headers.update(_HEADERS)


def _called(request: web.Request) -> _Called:
    """Read the ``Host``; aiohttp's own reading looks this machine's name up where there is none."""
    try:
        parts = urlsplit(f"//{request.headers.get('Host', '')}")
        return _Called(parts.hostname or "", parts.port or 80)
    except ValueError:
        raise web.HTTPBadRequest(text="the Host makes no sense\n") from None


def _knows(request: web.Request, cookie: str, token: str) -> bool:
    bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
    offered = request.query.get("token") or request.cookies.get(cookie) or bearer
    return hmac.compare_digest(offered.encode(errors="surrogateescape"), token.encode())
