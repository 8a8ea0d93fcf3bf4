"""Pictures of frames, flow and slices, as they are put into a report."""

import base64
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["embedded", "flow_colours", "flow_legend", "grey", "over_time"]

Colours = NDArray[np.uint8]


def grey(frame: NDArray[np.floating], white: float) -> Colours:
    """Return light from 0 to `white` as 8-bit grey, by the square root: as the eye has it."""
    return np.asarray(np.rint(255.0 * np.sqrt(np.clip(frame / white, 0.0, 1.0))), np.uint8)


def over_time(lines: NDArray[np.floating], white: float, height: int = 160, width: int = 480) -> Colours:
    """Return an x–t slice (points, frames) as grey, each point and frame repeated until it can be seen."""
    picture = grey(lines, white)
    return picture.repeat(max(1, round(height / picture.shape[0])), axis=0).repeat(
        max(1, round(width / picture.shape[1])), axis=1
    )


def flow_colours(flow: NDArray[np.floating], full_px: float) -> Colours:
    """Return flow (H, W, 2) as colours (H, W, 3) in OpenCV's order: direction is hue, length saturation.

    Parameters
    ----------
    flow : numpy.ndarray
        x and y in px.
    full_px : float
        Length that has full saturation; no motion is white.
    """
    angle = np.degrees(np.arctan2(flow[..., 1], flow[..., 0])) % 360.0
    length = np.clip(np.hypot(flow[..., 0], flow[..., 1]) / full_px, 0.0, 1.0)
    hsv = np.stack([angle / 2.0, 255.0 * length, np.full_like(length, 255.0)], axis=-1)
    return np.asarray(cv2.cvtColor(np.rint(hsv).astype(np.uint8), cv2.COLOR_HSV2BGR), np.uint8)


def flow_legend(side: int = 97) -> Colours:
    """Return the wheel of colours: each point shows the colour of a motion from the centre to it."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2.0
    wheel = flow_colours(np.stack([x, y], axis=-1), (side - 1) / 2.0)
    wheel[np.hypot(x, y) > side / 2.0] = 255
    return wheel


def embedded(picture: Colours, label: str, kind: str = "") -> str:
    """Return an ``<img>`` with the picture inside as PNG."""
    _, data = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    return f'<img class="{kind}" alt="{label}" src="data:image/png;base64,{_text(data)}">'


def _text(data: Any) -> str:
    return base64.b64encode(data.tobytes()).decode("ascii")
