"""CURVE keys for links that leave the machine."""

from pathlib import Path

import zmq
import zmq.auth
from zmq.auth.thread import ThreadAuthenticator

from engine.exceptions import LinkError

__all__ = ["Keys", "make_keys"]

_NAME = "spikemm"


def make_keys(folder: Path) -> Path:
    """Make the key pair that all hosts of a pipeline share; return the secret key's file.

    Raises
    ------
    LinkError
        If the folder holds a pair already.
    """
    secret = folder / f"{_NAME}.key_secret"
    if secret.exists():
        raise LinkError(f"{secret} exists; remove it first if every host is to get a new key")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    zmq.auth.create_certificates(folder, _NAME)
    secret.chmod(0o600)
    return secret


class Keys:
    """One key pair, held by every host: who has it may serve and may join, nobody else.

    Parameters
    ----------
    folder : Path
        Where `make_keys` put it.

    Raises
    ------
    LinkError
        If there is no usable pair.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._authenticator: ThreadAuthenticator | None = None
        try:
            public, secret = zmq.auth.load_certificate(folder / f"{_NAME}.key_secret")
        except (OSError, ValueError) as error:
            raise LinkError(
                f"{folder}: no usable key pair: {error}; make one with: spikemm ctl keys {folder}"
            ) from None
        if secret is None:
            raise LinkError(f"{folder}: the secret half is missing; copy {_NAME}.key_secret here")
        self._public, self._secret = public, secret

    def serve(self, socket: "zmq.Socket[bytes]") -> None:
        """Let a socket that binds accept this pair alone."""
        if self._authenticator is None:
            self._authenticator = ThreadAuthenticator(socket.context)
            self._authenticator.start()
            self._authenticator.configure_curve(domain="*", location=str(self._folder))
        socket.curve_secretkey, socket.curve_publickey = self._secret, self._public
        socket.curve_server = True

    def join(self, socket: "zmq.Socket[bytes]") -> None:
        """Let a socket that connects prove that it holds the pair."""
        socket.curve_secretkey, socket.curve_publickey = self._secret, self._public
        socket.curve_serverkey = self._public

    def close(self) -> None:
        """Stop checking keys."""
        if self._authenticator is not None:
            self._authenticator.stop()
