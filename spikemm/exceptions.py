"""Every error that the algorithms raise on purpose.

::

    SpikeMMError
    ├── RecordingError   a recording that is missing, damaged, or of another size than stated
    ├── CalibrationError a calibration that is missing, damaged, of another size, or that cannot be made
    ├── WindowError      a window asked for whose steps are not all there
    ├── OptionError      an option outside its range, or one that does not fit another
    ├── ShapeError       an array whose shape or type is not what a function documents
    └── WeightsError     a file of weights or a checkpoint that cannot be trusted, read or written

A message names the value, the limit and the remedy, in one line.
"""

__all__ = [
    "CalibrationError",
    "OptionError",
    "RecordingError",
    "ShapeError",
    "SpikeMMError",
    "WeightsError",
    "WindowError",
]


class SpikeMMError(Exception):
    """Base of every error of this package; its text is fit to be shown to a user."""


class RecordingError(SpikeMMError):
    """A recording cannot be read as asked."""


class CalibrationError(SpikeMMError):
    """A calibration cannot be read, used or made as asked."""


class WindowError(SpikeMMError):
    """A window reaches steps that are not in the ring."""


class OptionError(SpikeMMError, ValueError):
    """An option is out of range, or contradicts another."""


class ShapeError(SpikeMMError, ValueError):
    """An array has another shape or type than documented."""


class WeightsError(SpikeMMError):
    """A file of weights or a checkpoint is missing, damaged, foreign, or cannot be written."""
