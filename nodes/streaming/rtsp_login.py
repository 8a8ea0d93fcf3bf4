"""Who publishes: the answer to an RTSP server's challenge, Digest (RFC 7616) or, without it, Basic (RFC 7617)."""

import base64
import hashlib
import re
import secrets
import urllib.request
from typing import NamedTuple

__all__ = ["Credentials", "Login"]

_HASHES = {"MD5": "md5", "SHA-256": "sha256"}


class Login(NamedTuple):
    """Name and password."""

    name: str
    password: str


class Credentials:
    """Answers a server that asks who publishes."""

    def __init__(self, login: Login | None) -> None:
        self._login = login
        self._challenge: dict[str, str] = {}
        self._answered = 0  # requests with the challenge's nonce

    def accept(self, challenges: list[str]) -> bool:
        """Take the safest of a server's challenges; False where none can be answered, or the answer was wrong.

        Raises
        ------
        ConnectionError
            If one is malformed.
        """
        if self._login is None or self._challenge:
            return False
        kinds: dict[str, list[dict[str, str]]] = {"digest": [], "basic": []}
        for challenge in challenges:
            kind, _, rest = challenge.partition(" ")
            if kind.lower() in kinds:
                kinds[kind.lower()].append({**_fields(rest), "kind": kind.lower()})
        known = [fields for fields in kinds["digest"] if _algorithm(fields) is not None] + kinds["basic"]
        self._challenge = known[0] if known else {}
        return bool(known)

    def header(self, method: str, url: str) -> dict[str, str]:
        """Return the header that a request carries, once a challenge is there."""
        if self._login is None or not self._challenge:
            return {}
        if self._challenge["kind"] == "digest":
            return {"Authorization": self._digest(self._login, method, url)}
        return {"Authorization": "Basic " + base64.b64encode(":".join(self._login).encode()).decode()}

    def _digest(self, login: Login, method: str, url: str) -> str:
        given = self._challenge
        algorithm, name = given.get("algorithm", "MD5"), _algorithm(given) or ""

        def digest(*parts: str) -> str:
            return hashlib.new(name, ":".join(parts).encode(), usedforsecurity=False).hexdigest()

        realm, nonce, own = given.get("realm", ""), given.get("nonce", ""), secrets.token_hex(8)
        secret, request = digest(login.name, realm, login.password), digest(method, url)
        fields = {"username": login.name, "realm": realm, "nonce": nonce, "uri": url}
        words = {"algorithm": algorithm}
        if "auth" in re.split(r"[,\s]+", given.get("qop", "")):
            self._answered += 1
            count = f"{self._answered:08x}"
            words |= {"qop": "auth", "nc": count}
            fields |= {"cnonce": own, "response": digest(secret, nonce, count, own, "auth", request)}
        else:
            fields["response"] = digest(secret, nonce, request)
        fields |= {"opaque": given["opaque"]} if "opaque" in given else {}
        quoted = [f'{key}="{value}"' for key, value in fields.items()]
        return "Digest " + ", ".join((*quoted, *(f"{key}={value}" for key, value in words.items())))


def _fields(challenge: str) -> dict[str, str]:
    """Read what a challenge says behind its kind."""
    try:
        return urllib.request.parse_keqv_list(urllib.request.parse_http_list(challenge))
    except (ValueError, IndexError):
        raise ConnectionError(f"the server's challenge is malformed: {challenge[:60]!r}") from None


def _algorithm(fields: dict[str, str]) -> str | None:
    """Return the hash that a digest asks for; None where it is another than those answered here."""
    return _HASHES.get(fields.get("algorithm", "MD5").upper())
