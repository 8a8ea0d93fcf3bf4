"""At most so many pictures a second: which of those that come are shown."""

__all__ = ["Pace"]

_SLACK = 0.1  # of an interval: a picture that is a little early is not left out where the paces are equal


class Pace:
    """Tells whether a picture is due; late ones do not delay the next, and after a pause the pace starts anew."""

    def __init__(self) -> None:
        self._due = 0.0

    def due(self, now: float, fps: float) -> bool:
        """Tell whether a picture that comes at time `now`, in seconds, is one of the `fps` a second to be shown."""
        interval = 1 / fps
        if now < self._due - _SLACK * interval:
            return False
        self._due = max(self._due, now - interval / 2) + interval
        return True
