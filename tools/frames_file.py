"""Frames into a file: a video, an array or a slice, by its ending."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikemm.batch import FrameBatch

__all__ = ["ENDINGS", "write_frames"]

ENDINGS = (".mp4", ".avi", ".npz", ".png")


def write_frames(batches: "Iterator[FrameBatch]", path: Path, play_fps: float) -> tuple[int, float, str]:
    """Write all frames; return how many, their mean light in spikes per step, and which line a slice shows.

    Parameters
    ----------
    batches : iterator of FrameBatch
    path : Path
        With one of `ENDINGS`.
    play_fps : float
        Frames per second at which a video is shown.
    """
    from engine.envelope import host_array
    from nodes.files.npz_writer import NpzWriter

    writer = _writer(path, play_fps)
    frames, light = 0, 0.0
    for batch in batches:
        pixels = host_array(batch.pixels)
        if isinstance(writer, NpzWriter):
            writer.write(pixels, batch.steps)
        else:
            writer.write(pixels)
        frames += len(pixels)
        light += float(pixels.mean(dtype=float)) * len(pixels)
    writer.close()
    return frames, light / max(frames, 1), getattr(writer, "line", "")


def _writer(path: Path, play_fps: float) -> Any:
    match path.suffix.lower():
        case ".npz":
            from nodes.files.npz_writer import NpzWriter

            return NpzWriter(path)
        case ".png":
            from tools.slice_writer import SliceWriter

            return SliceWriter(path)
        case _:
            from nodes.files.video_writer import VideoWriter

            return VideoWriter(path, play_fps)
