"""What every pixel of one sensor adds and multiplies, and how to take it out of the maps of light."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import BadZipFile
from zlib import error as ZlibError

import numpy as np
from numpy.typing import NDArray

from spikemm.exceptions import CalibrationError, ShapeError
from spikemm.packing import Region, check_region
from spikemm.recording import Recording
from spikemm.whole_file import whole_file

__all__ = ["DEAD", "GOOD", "HOT", "SATURATED", "Calibration", "calibration_of"]

GOOD, DEAD, HOT, SATURATED = range(4)
"""What `Calibration.fault` says of a pixel."""

_FORMAT = 1
_KEYS: dict[str, Any] = {"gain": np.float32, "dark": np.float32, "fault": np.uint8, "error": np.float32}
_LIMITS = {"gain": (1e-6, 1e6), "dark": (0.0, 1.0), "fault": (GOOD, SATURATED), "error": (0.0, 1e6)}
_NEIGHBOURS = 8


@dataclass(frozen=True)
class Calibration:
    """The fixed pattern of one sensor: pixel i shows ``gain[i] · light + dark[i]``.

    A pixel with a fault cannot be corrected; it shows the median of the eight good pixels nearest to it.

    Attributes
    ----------
    gain : numpy.ndarray
        (H, W) float32, above 0, 1 on average.
    dark : numpy.ndarray
        (H, W) float32, light shown in darkness, spikes per step, from 0 to below 1.
    fault : numpy.ndarray
        (H, W) uint8: `GOOD`, `DEAD` (no signal in even light), `HOT` (bright in darkness) or `SATURATED` (in even
        light).
    error : numpy.ndarray
        (H, W) float32, standard error of the gain, as a fraction.

    Raises
    ------
    CalibrationError
        The arrays differ in size, have another type, or hold values out of range.
    """

    gain: NDArray[np.float32]
    dark: NDArray[np.float32]
    fault: NDArray[np.uint8]
    error: NDArray[np.float32]

    def __post_init__(self) -> None:
        for name, dtype in _KEYS.items():
            part = getattr(self, name)
            if part.ndim != 2 or part.dtype != dtype or part.shape != self.gain.shape or not part.size:
                raise CalibrationError(
                    f"{name} is {part.shape} {part.dtype}: it must be (H, W) {np.dtype(dtype)}, and gain, dark, fault "
                    "and error alike; make the calibration anew"
                )
            low, high = _LIMITS[name]
            if not ((part >= low) & (part <= high)).all():
                raise CalibrationError(
                    f"{name} holds values from {part.min():g} to {part.max():g}: they must lie between {low:g} and "
                    f"{high:g}; make the calibration anew"
                )
        if (self.fault != GOOD).all():
            raise CalibrationError("every pixel has a fault: record the dark and the flat anew")

    @property
    def good(self) -> NDArray[np.bool_]:
        """(H, W), the pixels without a fault."""
        return np.asarray(self.fault == GOOD)

    @property
    def pattern(self) -> float:
        """Standard deviation of the good pixels' gains."""
        return float(self.gain[self.good].std())

    def check_size(self, height: int, width: int, source: str = "the calibration") -> None:
        """Raise CalibrationError unless this is the calibration of `height` × `width` pixels."""
        if self.gain.shape != (height, width):
            raise CalibrationError(
                f"{source} is for {self.gain.shape[0]}×{self.gain.shape[1]} pixels, the picture has {height}×{width}: "
                "take the calibration of this camera, at this size"
            )

    def cropped(self, region: Region) -> "Calibration":
        """Return the calibration of a part of the picture, which must be inside."""
        check_region(region, *self.gain.shape)
        x, y, wide, high = region
        return Calibration(*(getattr(self, name)[y : y + high, x : x + wide] for name in _KEYS))

    def apply(self, name: str, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        """Correct a map of light.

        Parameters
        ----------
        name : {'rate', 'interval', 'isi'}
            What the map holds: light in spikes per step, or for ``isi`` the interval in steps, 0 where undefined.
        picture : numpy.ndarray
            (H, W) or (parts, H, W) float32.

        Returns
        -------
        numpy.ndarray
            A new array, (picture − dark) / gain in light, clamped to [0, 1]. A pixel that fires on every step stays at
            1, since its light is known to be at least that. An interval of a pixel whose light is all dark becomes 0,
            undefined.

        Raises
        ------
        ShapeError
            `picture` is not of this calibration's size.
        """
        if picture.shape[-2:] != self.gain.shape:
            raise ShapeError(f"a map of shape {picture.shape}: this calibration is for {self.gain.shape}")
        if name != "isi":
            return self._light(picture)
        light = self._light(_inverse(picture), defined=picture > 0)
        return _inverse(light)

    def _light(self, picture: NDArray[np.float32], defined: NDArray[np.bool_] | None = None) -> NDArray[np.float32]:
        light = picture - self.dark
        light *= self._inverse_gain
        light[picture >= 1.0] = 1.0
        np.clip(light, 0.0, 1.0, out=light)
        if defined is not None:
            light[~defined] = 0.0
        places, sources = self._replaced
        if places.size:
            flat = light.reshape(-1, self.gain.size)
            near = flat[:, sources]
            known = np.full_like(near, True, bool) if defined is None else defined.reshape(flat.shape)[:, sources]
            flat[:, places] = _median(near, known)
        return light

    @cached_property
    def _inverse_gain(self) -> NDArray[np.float32]:
        return np.float32(1.0) / self.gain

    @cached_property
    def _replaced(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Places (n,) of the pixels with a fault, and those of the good ones nearest to each, (n, up to 8)."""
        if self.good.all():
            return np.empty(0, np.int64), np.empty((0, 0), np.int64)
        # Here and not above: a process that only checks a file does without scipy.
        from scipy.spatial import cKDTree

        good = np.argwhere(self.good)
        _, index = cKDTree(good).query(np.argwhere(~self.good), k=min(_NEIGHBOURS, len(good)))
        near = good[index.reshape(int((~self.good).sum()), -1)]
        return np.flatnonzero(~self.good), near[..., 0] * self.gain.shape[1] + near[..., 1]

    def save(self, path: str | Path) -> None:
        """Write a .npz; it takes its name only when it is whole.

        Raises
        ------
        CalibrationError
            The name does not end in .npz, or it cannot be written.
        """
        target = Path(path)
        if target.suffix != ".npz":
            raise CalibrationError(f"{target}: a calibration's name ends in .npz")
        arrays = {name: getattr(self, name) for name in _KEYS}
        try:
            with whole_file(target) as partial:
                np.savez_compressed(partial, allow_pickle=False, format=np.int64(_FORMAT), **arrays)
        except OSError as error:
            raise CalibrationError(f"cannot write {target}: {error.strerror}; choose another place") from error

    @classmethod
    def load(cls, path: str | Path, height: int, width: int) -> "Calibration":
        """Read what `save` wrote; nothing in the file is ever executed.

        Parameters
        ----------
        path : str or Path
            The .npz.
        height, width : int
            Size of the pictures that it is for.

        Raises
        ------
        CalibrationError
            There is no such file, it is damaged, it is no calibration, one of another version or for another size.
        """
        arrays = _read(path)
        try:
            read = cls(**arrays)
        except CalibrationError as error:
            raise CalibrationError(f"{path}: {error}") from None
        read.check_size(height, width, str(path))
        return read


def calibration_of(recording: Recording) -> Calibration | None:
    """Load the calibration that a recording states; None where it states none.

    Raises
    ------
    CalibrationError
        It cannot be read, or is for another size.
    """
    if recording.calibration is None:
        return None
    return Calibration.load(recording.calibration, recording.height, recording.width)


def _read(path: str | Path) -> dict[str, Any]:
    """Read the arrays of a calibration's file."""
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as archive:
            held = {name: archive[name] for name in ("format", *_KEYS) if name in archive}
    except OSError as error:
        raise CalibrationError(f"{path}: {error.strerror or error}: check the calibration's path") from None
    except (ValueError, EOFError, KeyError, TypeError, AttributeError, BadZipFile, ZlibError, MemoryError):
        raise CalibrationError(f"{path}: damaged, or no calibration: make it with spikemm calibrate") from None
    if held.keys() != {"format", *_KEYS} or held["format"].shape != () or held["format"].dtype.kind != "i":
        raise CalibrationError(f"{path}: no calibration, it holds other arrays: make it with spikemm calibrate")
    version = int(held.pop("format"))
    if version != _FORMAT:
        raise CalibrationError(
            f"{path}: format {version}, this program reads {_FORMAT}: make it anew with spikemm calibrate"
        )
    return held


def _inverse(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return 1 / values, 0 where they are 0."""
    return np.divide(np.float32(1.0), values, out=np.zeros_like(values), where=values > 0)


def _median(values: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Median of the known values along the last axis; 0 where none is known."""
    ordered = np.sort(np.where(known, values, np.float32(np.inf)), axis=-1)
    count = known.sum(-1, keepdims=True)
    middle = [np.take_along_axis(ordered, np.maximum(count + k, 0) // 2, -1)[..., 0] for k in (-1, 0)]
    mean: NDArray[np.float32] = 0.5 * (middle[0] + middle[1])
    return np.where(count[..., 0] > 0, mean, np.float32(0.0))
