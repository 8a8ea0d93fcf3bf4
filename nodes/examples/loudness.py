"""A sink of one's own, whole: print the mean level of every frame.

In a pipeline file beside this one: ``loudness: {type: loudness:Loudness, inputs: magnify}``.
"""

from engine import Sink
from nodes.messages import Frames


class Loudness(Sink):
    """Print the mean level of every frame."""

    accepts = Frames

    def process(self, frames: Frames, port: str) -> None:
        """Print a line for each frame: the step at its centre, and its mean in spikes per step."""
        for step, picture in zip(frames.steps, frames.pixels, strict=True):
            print(step, picture.mean())  # noqa: T201 - printing is what this sink is for
