"""Frames of several methods side by side in one video, each under its name."""

import math
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from nodes.files.output_file import writing
from nodes.files.video_writer import VideoWriter

__all__ = ["side_by_side", "write_video"]

_PLAY_FPS = 12.0
_CAPTION_PX = 20
_COLUMNS = 3
_WIDTH_PX = 300

Frames = NDArray[np.float32]


def write_video(path: Path, rows: Mapping[str, Frames], white: float) -> None:
    """Write frames (n, H, W) of several rows side by side.

    Light is shown by its square root, as the eye has it.

    Raises
    ------
    RecordingError
        If the file cannot be written.
    """
    pictures = side_by_side({name: np.sqrt(np.clip(frames / white, 0.0, 1.0)) for name, frames in rows.items()})
    with writing(path), VideoWriter(path, _PLAY_FPS, 1.0) as video:
        video.write(pictures)


def side_by_side(rows: Mapping[str, Frames]) -> Frames:
    """Return frames (n, H, W) of the rows in a grid, each enlarged to about 300 px and under its name."""
    scale = max(1, round(_WIDTH_PX / next(iter(rows.values())).shape[2]))
    tiles = [_captioned(frames.repeat(scale, axis=1).repeat(scale, axis=2), name) for name, frames in rows.items()]
    columns = min(_COLUMNS, len(tiles))
    lines = math.ceil(len(tiles) / columns)
    tiles += [np.zeros_like(tiles[0])] * (lines * columns - len(tiles))
    return np.concatenate(
        [np.concatenate(tiles[line * columns : (line + 1) * columns], axis=2) for line in range(lines)], axis=1
    )


def _captioned(frames: Frames, name: str) -> Frames:
    strip = np.zeros((_CAPTION_PX, frames.shape[2]), np.uint8)
    cv2.putText(strip, name, (6, _CAPTION_PX - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.45, 255, 1, cv2.LINE_AA)
    captions = np.broadcast_to(strip.astype(np.float32) / 255.0, (len(frames), *strip.shape))
    return np.concatenate([captions, frames], axis=1)
