"""The picture that a browser shows: what of a message of frames it is, and how it is packed for the wire."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.envelope import host_array
from engine.exceptions import EnvelopeError
from nodes.grey_scale import GreyScale
from nodes.messages import Frames

__all__ = ["Picture", "grey_pair", "make_picture", "pack", "side_by_side"]


@dataclass(frozen=True)
class Picture:
    """One instant, encoded once for everyone who looks.

    Attributes
    ----------
    number : int
        Counts the pictures made, from 1.
    frames : int
        Frames that had arrived when it was made, itself included.
    header : dict
        What the page shows beside it.
    parts : tuple of bytes
        The JPEGs, as listed in ``header["parts"]``.
    """

    number: int
    frames: int
    header: dict[str, Any]
    parts: tuple[bytes, ...]

    def packed(self, **own: Any) -> bytes:
        """Pack for one viewer.

        Parameters
        ----------
        **own
            What this viewer alone is told, added to the header.
        """
        return pack({**self.header, **own}, self.parts)


def pack(header: dict[str, Any], parts: Iterable[bytes]) -> bytes:
    """Pack a binary message: 4 bytes with the header's length (big endian), the header in JSON, the parts."""
    packed = msgspec.json.encode(header)
    return b"".join((len(packed).to_bytes(4, "big"), packed, *parts))


def grey_pair(frames: Frames, grey: GreyScale) -> dict[str, NDArray[np.uint8]]:
    """Return the newest instant of a message as grey pictures, (H, W) uint8: ``pixels``, and ``raw`` where it is there.

    Both go through one mapping, whose level is taken from the unmagnified picture: magnification makes no light.
    """
    pair = {} if frames.raw is None else {"raw": grey(host_array(frames.raw[-1]))}
    return {"pixels": grey(host_array(frames.pixels[-1])), **pair}


def make_picture(frames: Frames, grey: GreyScale, quality: int, *, number: int, arrived: int) -> Picture:
    """Encode the newest instant of a message."""
    pair = grey_pair(frames, grey)
    parts = {name: _jpeg(grey_picture, quality) for name, grey_picture in pair.items()}
    header = _header(frames) | {
        "type": "picture",
        "picture": number,
        "white": grey.white,
        "parts": [[name, len(part)] for name, part in parts.items()],
    }
    return Picture(number, arrived, header, tuple(parts.values()))


def side_by_side(frames: Frames, grey: GreyScale, quality: int) -> bytes:
    """Return one JPEG of the newest instant: unmagnified on the left where it is there, magnified on the right."""
    pair = grey_pair(frames, grey)
    return _jpeg(np.hstack([pair[name] for name in ("raw", "pixels") if name in pair]), quality)


def _header(frames: Frames) -> dict[str, Any]:
    """Return what the page shows of a message, about its last frame."""
    step = frames.step + (frames.count - 1) * frames.hop
    return {
        "step": step,
        "seconds": step / frames.rate_hz if frames.rate_hz else None,
        "rate_hz": frames.rate_hz,
        "hop": frames.hop,
        "epoch": frames.epoch,
        "source_time": frames.source_time,
        "front": frames.front,
        "window_steps": frames.window_steps,
        "scale": frames.scale,
        "origin": frames.origin,
        "time_scale": frames.time_scale,
        "notes": frames.notes,
    }


def _jpeg(grey_picture: NDArray[np.uint8], quality: int) -> bytes:
    done, encoded = cv2.imencode(".jpg", grey_picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise EnvelopeError(f"frames of {grey_picture.shape} do not fit a JPEG; at most 65500 pixels a side")
    return bytes(encoded)
