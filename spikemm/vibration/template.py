"""A region's picture as the yardstick of its displacement."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates, spline_filter

from spikemm.exceptions import OptionError

__all__ = ["Roi", "Template", "check_roi", "pattern_spread"]

Roi = tuple[int, int, int, int]
"""x, y, width, height in px."""

Floats = NDArray[np.floating]

SMOOTHING_PX = 1.0
"""The gradient that light is projected on belongs to the picture smoothed twice by this Gaussian: finer detail is where
the sensor's fixed pattern weighs most and where a picture is least a smooth function."""

SMALLEST_PX = 8

_RIM = 3
"""Pixels along the picture's own border of whose surroundings nothing is known."""

_INNER, _TAPER = 6, 8
_EDGE = _INNER + _TAPER
MARGIN_PX = _EDGE + _RIM
"""So far around a region the picture is looked at."""

_SATURATED = 0.98
_STRAIGHT = 1e-3
_NOTHING = 1e-12
_SPACING_PX, _BEYOND = 0.2, 6
_LEAST_KEPT = 0.05
_CHANCE, _CHANCE_SPREAD = 4.0, 0.122
"""Standard deviations by which contrast must exceed what noise has by chance, as its mean is subtracted; and such a
deviation for one pixel of variance 1: √(2·mean(k_x⁴·exp(−2k²))) over all wave numbers k, for the derivative of a
picture smoothed twice by 1 px."""

_DARKEST = 0.1
_ROUNDS = 30
FURTHEST_PX = 2.0
"""Displacements beyond this are measured from another place of the region."""


def check_roi(roi: Roi, height: int, width: int) -> None:
    """Raise OptionError unless `roi` is 8×8 px or more and inside a picture of `height` × `width`."""
    x, y, wide, high = roi
    if min(wide, high) < SMALLEST_PX or x < 0 or y < 0 or x + wide > width or y + high > height:
        raise OptionError(
            f"region {tuple(roi)} (x, y, width, height): it must be {SMALLEST_PX}×{SMALLEST_PX} px or more and inside "
            f"the picture of {width}×{height}"
        )


def pattern_spread(picture: NDArray[np.floating]) -> float:
    """Estimate the standard deviation of the pixels' gains from one picture.

    The median response, relative to the light, of a mask that no plane and few textures excite (Immerkær, 1996): where
    a lens has drawn the picture, what changes from pixel to pixel is the pattern.
    """
    p = np.asarray(picture, np.float64)
    rows = p[:-2] - 2.0 * p[1:-1] + p[2:]
    change = rows[:, :-2] - 2.0 * rows[:, 1:-1] + rows[:, 2:]
    sums = p[:-2] + p[1:-1] + p[2:]
    light = (sums[:, :-2] + sums[:, 1:-1] + sums[:, 2:]) / 9.0
    lit = light > 1e-3
    return float(np.median(np.abs(change[lit] / light[lit])) / 0.6745 / 6.0) if lit.any() else 0.0


class _Spectrum(NamedTuple):
    """Cross-spectrum of the test pictures and the region: (4, h, w), and its wave numbers in rad/px, (h,) and (w,)."""

    cross: NDArray[np.complex128]
    ky: Floats
    kx: Floats

    def at(self, dx: Floats, dy: Floats) -> Floats:
        """Return the four projections of the region moved by every pair of (nx,) and (ny,): (4, ny, nx)."""
        down, right = np.exp(-1j * np.outer(dy, self.ky)), np.exp(-1j * np.outer(self.kx, dx))
        return np.asarray((down @ self.cross @ right).real)


class Template:
    """What a displacement does to the light of a region, and the weights that tell it from the light.

    Parameters
    ----------
    picture : numpy.ndarray
        (H, W) light in spikes per step of the whole picture, without noise as far as can be: a mean over time.
    roi : Roi
        The region.
    pattern : float
        Standard deviation of what is left of the sensor's fixed pattern, as a fraction of the light.
    noise : float
        Standard deviation of the picture's own noise, spikes per step.
    usable : numpy.ndarray, optional
        (H, W) bool, pixels that may be used. Saturated ones never are.

    Attributes
    ----------
    tests : numpy.ndarray
        (4, height · width) test pictures: derivatives along x and y, level, 1. Their sums over the light are what the
        other methods take, "projections".
    visible : numpy.ndarray
        (2, 2) projection on the directions in which a movement shows: all, but for a straight edge only across it.
    clear : numpy.ndarray
        (2, 2) the same, without those whose contrast is no more than what pattern and noise have by chance.

    Raises
    ------
    OptionError
        The region is too small or not inside the picture.

    Notes
    -----
    The light of a moved region is (1 + γ) I(x − d) + β, where γ and β are the lamp's. Projected on four test pictures
    T (derivatives of the smoothed picture, level, 1), it gives four numbers whose dependence on d is the
    cross-correlation of T and I: a known, smooth function, linear for small d, and inverted without assuming that.
    Instrumental variables, not least squares: noise and pattern in I are also in T, and bias the slope of the
    cross-correlation by their power times that of the derivative; this is subtracted.
    """

    def __init__(
        self,
        picture: NDArray[np.floating],
        roi: Roi,
        *,
        pattern: float = 0.0,
        noise: float = 0.0,
        usable: NDArray[np.bool_] | None = None,
    ) -> None:
        check_roi(roi, *picture.shape)
        whole = np.asarray(picture, np.float64)
        used = _used(whole, roi, usable)
        patch = _patch(whole, roi)
        ky, kx = (2.0 * np.pi * np.fft.fftfreq(n) for n in patch.shape)
        smooth = np.exp(-(SMOOTHING_PX**2) * (ky[:, None] ** 2 + kx**2))
        self._mean = float(patch.mean())
        self._picture = np.fft.fft2(patch - self._mean)
        shown = [np.fft.ifft2(s * smooth * self._picture).real for s in (1j * kx, 1j * ky[:, None], 1.0)]
        tests = np.zeros((4, *patch.shape))
        self._inside = np.s_[_EDGE : _EDGE + roi[3], _EDGE : _EDGE + roi[2]]
        inside = np.s_[:, *self._inside]
        tests[inside] = np.stack([shown[0], shown[1], shown[2] + self._mean, np.ones_like(patch)])[inside] * used
        self.tests: Floats = tests[inside].reshape(4, -1)
        variance = used * ((pattern * whole[_window(roi)]) ** 2 + noise**2)
        error = float(variance.sum())
        self._chance = _CHANCE * _CHANCE_SPREAD * float(np.sqrt((variance**2).sum()))
        self._transform = np.conj(np.fft.fft2(tests)) / patch.size
        self._error = error / patch.size * np.stack([-1j * kx * smooth, -1j * ky[:, None] * smooth, smooth])
        self._waves = ky, kx
        self._sums = tests.sum(axis=(1, 2))
        self.sharpen(np.zeros((1, 2)))

    def sharpen(self, displacement: Floats) -> None:
        """Take back the blur of a picture that was averaged while it moved by `displacement`, (n, 2) px.

        Wave by wave the mean over a motion multiplies by its characteristic function, for a sine of amplitude A by
        J₀(kA).
        """
        ky, kx = self._waves
        moved = displacement[:: max(1, len(displacement) // 1024)]
        down, right = np.exp(-1j * np.outer(ky, moved[:, 1])), np.exp(-1j * np.outer(moved[:, 0], kx))
        kept = down @ right / len(moved)
        sharpening = np.conj(kept) / np.maximum(np.abs(kept) ** 2, _LEAST_KEPT)
        sharp = self._picture * sharpening
        ways = (1j * kx + 0.0 * ky[:, None], 1j * ky[:, None] + 0.0 * kx)
        self._slopes = np.stack([-np.fft.ifft2(way * sharp).real[self._inside].ravel() for way in ways])
        cross = self._transform * sharp
        # The pattern has not moved, so that it has not been blurred but is sharpened with the rest.
        cross[:3] -= self._error * sharpening
        self._spectrum = _Spectrum(cross, ky, kx)
        self._still = self._mean * self._sums
        self._still[2] += float(self._error[2].real.sum())
        self._excess: Floats | None = None
        self._reach = np.zeros(2, int)
        self._solve()

    def _solve(self) -> None:
        """Invert the projections' derivatives by dx, dy, gain and offset."""
        cross, ky, kx = self._spectrum
        slopes = np.stack([-1j * kx + 0.0 * ky[:, None], -1j * ky[:, None] + 0.0 * kx])
        moved = np.einsum("jyx,dyx->jd", cross, slopes).real
        level = cross.sum(axis=(1, 2)).real + self._still
        lamp = np.stack([level, self._sums], axis=1)
        flat = np.linalg.pinv(lamp[2:], rcond=1e-12)
        # Displacement with the light's gain and offset eliminated; symmetric up to the pattern's noise.
        tensor = moved[:2] - lamp[:2] @ flat @ moved[2:]
        tensor = 0.5 * (tensor + tensor.T)
        values, vectors = np.linalg.eigh(tensor)
        shown = values < -max(_STRAIGHT * float(-values.min()), _NOTHING)
        seen = vectors[:, shown]
        self.visible = np.asarray(seen @ seen.T)
        clear = vectors[:, shown & (-values > self._chance)]
        self.clear = np.asarray(clear @ clear.T)
        inverse = seen @ np.diag(1.0 / values[shown]) @ seen.T
        top = inverse @ np.hstack((np.eye(2), -lamp[:2] @ flat))
        self._map = np.vstack((top, flat @ (np.hstack((np.zeros((2, 2)), np.eye(2))) - moved[2:] @ top)))

    @property
    def weights(self) -> Floats:
        """(4, height · width) what gives x, y (px), gain and offset of the light, to first order, from the light."""
        return np.asarray(self._map @ self.tests)

    def linear(self, projections: Floats) -> Floats:
        """Return x, y (px), gain and offset, (…, 4), to first order in the displacement, from (…, 4) projections."""
        return np.asarray(projections @ self._map.T)

    def shares(self, part: NDArray[np.int64], parts: int) -> Floats:
        """Return what a unit displacement shows in each part of the region, (parts, 2 shown, 2 moved), in all one.

        Parameters
        ----------
        part : numpy.ndarray
            (height · width,) which part each pixel belongs to.
        parts : int
            How many there are.
        """
        each = np.empty((parts, 2, 2))
        for shown, weights in enumerate(self._map[:2] @ self.tests):
            for moved, slope in enumerate(self._slopes):
                each[:, shown, moved] = np.bincount(part, weights * slope, minlength=parts)
        return np.asarray(each @ np.linalg.pinv(each.sum(axis=0), rcond=_STRAIGHT))

    def straighten(self, linear: Floats) -> Floats:
        """Return the displacement (n, 2) in px that shows as `linear` (n, 4), whatever its size up to 2 px."""
        shown = linear[:, :2] / np.maximum(linear[:, 2:3], _DARKEST)
        found = np.clip(shown, -FURTHEST_PX, FURTHEST_PX)
        for _ in range(_ROUNDS):
            last, excess = found, self.excess(found)
            lit = np.maximum(1.0 + excess[:, 2:], _DARKEST)
            found = np.clip(shown * lit - excess[:, :2], -FURTHEST_PX, FURTHEST_PX)
            if float(np.abs(found - last).max(initial=0.0)) < 1e-6:
                break
        return found

    def is_shown(self, linear: Floats, displacement: Floats) -> NDArray[np.bool_]:
        """Tell where `linear` (n, 4), which shows `displacement` (n, 2), has the first contrast, to a factor of ten."""
        gain = linear[:, 2] / np.maximum(1.0 + self.excess(displacement)[:, 2], _DARKEST)
        return np.asarray((gain >= _DARKEST) & (gain <= 1.0 / _DARKEST))

    def excess(self, displacement: Floats) -> Floats:
        """Return what `linear` shows beyond a displacement (n, 2) of up to 2 px and beyond a gain of 1.

        Returns
        -------
        numpy.ndarray
            (n, 3): x and y in px, and the gain; of second order or higher in the displacement.
        """
        reach = np.ceil(np.abs(displacement).max(axis=0, initial=0.0) / _SPACING_PX).astype(int) + _BEYOND
        if self._excess is None or (reach > self._reach).any():
            self._reach = np.maximum(reach, self._reach)
            self._excess = self._tabulate(*self._reach)
        places = displacement.T[::-1] / _SPACING_PX + self._reach[::-1, None]
        found = [map_coordinates(part, places, order=3, prefilter=False) for part in self._excess]
        return np.stack(found, axis=1)

    def _tabulate(self, right: int, down: int) -> Floats:
        """Spline coefficients (3, ny, nx) of the excess on a grid of displacements."""
        dx, dy = (_SPACING_PX * np.arange(-n, n + 1) for n in (right, down))
        shown = np.einsum("ij,jyx->iyx", self._map[:3], self._spectrum.at(dx, dy) + self._still[:, None, None])
        given = np.stack(np.broadcast_arrays(dx, dy[:, None], 1.0))
        return np.stack([spline_filter(part) for part in shown - given])


def _window(roi: Roi) -> tuple[slice, slice]:
    x, y, wide, high = roi
    return np.s_[y : y + high, x : x + wide]


def _used(picture: Floats, roi: Roi, usable: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """(height, width) of the region: which of its pixels count."""
    good = picture < _SATURATED
    if usable is not None:
        good &= usable
    good[:_RIM] = good[-_RIM:] = good[:, :_RIM] = good[:, -_RIM:] = False
    return np.asarray(good[_window(roi)])


def _patch(picture: Floats, roi: Roi) -> Floats:
    """Region and surroundings, which fade into their mean so that they have no seam as a periodic function."""
    x, y, wide, high = roi
    around = np.pad(picture, _EDGE, mode="edge")[y : y + high + 2 * _EDGE, x : x + wide + 2 * _EDGE]
    fade = [np.ones(n) for n in around.shape]
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(_TAPER) + 0.5) / _TAPER)
    for part in fade:
        part[:_TAPER], part[-_TAPER:] = ramp, ramp[::-1]
    mean = around[_EDGE:-_EDGE, _EDGE:-_EDGE].mean()
    return np.asarray(mean + (around - mean) * np.outer(*fade))
