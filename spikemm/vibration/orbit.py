"""How a region moves in two dimensions at one frequency, and how far one region runs ahead of another."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Orbit", "component", "orbit_of", "phase_between"]


@dataclass(frozen=True, slots=True)
class Orbit:
    """The ellipse that a point goes round at one frequency.

    Attributes
    ----------
    major_px, minor_px : float
        Half axes, px.
    angle_deg : float
        Direction of the major axis: 0 is to the right, 90 is down; from −90 up to 90.
    clockwise : bool
        Sense of rotation as seen on the picture; of a straight line it means nothing.
    """

    major_px: float
    minor_px: float
    angle_deg: float
    clockwise: bool


def component(px: NDArray[np.floating], fps: float, hz: float) -> NDArray[np.complex128]:
    """Complex amplitude of a record at a frequency.

    Parameters
    ----------
    px : numpy.ndarray
        (n, …) displacement, evenly sampled.
    fps, hz : float
        Samples per second, and the frequency.

    Returns
    -------
    numpy.ndarray
        (…) a with px ≈ offset + slope·t + Re(a·exp(2πi·hz·t)), t = 0 at the first sample.

    Notes
    -----
    Least squares, weighted by a Hann window so that other frequencies hardly leak in.
    """
    values = np.asarray(px, np.float64)
    count = len(values)
    angle = 2.0 * np.pi * hz * np.arange(count) / fps
    basis = np.stack((np.cos(angle), np.sin(angle), np.ones(count), np.linspace(-1.0, 1.0, count)), axis=1)
    weight = np.sqrt(np.hanning(count + 2)[1:-1])[:, None]
    solved = np.linalg.lstsq(weight * basis, weight * values.reshape(count, -1), rcond=None)[0]
    return np.asarray((solved[0] - 1j * solved[1]).reshape(values.shape[1:]))


def orbit_of(x: complex, y: complex) -> Orbit:
    """Ellipse of the complex amplitudes along x (to the right) and y (down).

    Notes
    -----
    The motion is a sum of two circles, x + iy = p·exp(iωt) + n·exp(−iωt), with half axes |p| ± |n| (rotor dynamics: the
    full spectrum).
    """
    forward, backward = 0.5 * (x + 1j * y), 0.5 * (x - 1j * y).conjugate()
    angle = 0.5 * np.degrees(np.angle(forward * backward))
    return Orbit(
        major_px=float(abs(forward) + abs(backward)),
        minor_px=float(abs(abs(forward) - abs(backward))),
        angle_deg=float((angle + 90.0) % 180.0 - 90.0),
        clockwise=bool(abs(forward) > abs(backward)),
    )


def phase_between(one: NDArray[np.complexfloating], other: NDArray[np.complexfloating]) -> float:
    """Degrees by which `one` runs ahead of `other`, from −180 to 180; both (2,) complex amplitudes along x and y.

    Two motions along different directions are compared by their inner product, so 180 means: opposite.
    """
    return float(np.degrees(np.angle(np.vdot(other, one))))
