"""A multi-domain magnifier's network: phases in the frequency domain, a touch of paint in the picture."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import conv2d, fold, pad, softplus, unfold

from spikemm.magnification.learned.appearance import Appearance, Mix
from spikemm.magnification.learned.base import Encoded
from spikemm.magnification.learned.least_squares import solve_levels
from spikemm.magnification.learned.shift import ShiftNetwork

__all__ = ["MdlmmNetwork"]

_WINDOW = 16
_HOP = 8
_ROOM = 8
"""Zeros around a window before it is moved, px: so far it can go."""

_SLOWEST, _FASTEST = 1.0, 6.0
"""Frequencies that are looked at, periods a window."""

_SLOW = 0.2
"""Scale of the slopes, which makes Adam's steps on them so much smaller: they begin nearly right."""

_CURVED = 1.0 / 12.0
"""As in `CompactNetwork`: between the frames, a turned spectrum is as much shorter."""


class MdlmmNetwork(ShiftNetwork):
    """Magnify phase fluctuations in the frequency domain, refine in the spatial domain.

    Parameters
    ----------
    channels : int
        Channels of the network of phases.
    paint_channels : int
        Channels of the refinement.

    Notes
    -----
    After Singh, Murala and Kosuru, "Multi domain learning for motion magnification" (CVPR 2023). Their layers are not
    published in full: this is a derivation of our own of the same idea, with no more than their 0.11 M parameters.

    Frequency domain: Hann windows of 16×16 px, every 8 px, are Fourier-transformed, which is linear. The changes of
    their phases are explained by a shift (phase is frequency times shift) in least squares weighed by energy and a
    network that sees the spectra around; all layers are linear in the change. Each window is then moved by the
    magnified shift, as a phase ramp on its spectrum, by up to 8 px. Spatial domain: where neighbouring windows moved
    differently, a small convolutional network repaints their sum.
    """

    multiple = 2 * _HOP

    basis: torch.Tensor
    window: torch.Tensor

    def __init__(self, channels: int = 32, paint_channels: int = 16) -> None:
        super().__init__()
        self.options = {"channels": channels, "paint_channels": paint_channels}
        basis, window = _basis()
        self.register_buffer("basis", torch.from_numpy(basis.astype(np.float32)), persistent=False)
        self.register_buffer("window", torch.from_numpy(window.astype(np.float32)), persistent=False)
        waves = len(basis) // 2
        self.slopes = nn.Parameter(torch.from_numpy(_slopes(basis).astype(np.float32)) / _SLOW)
        seen = waves + channels
        self.floor = nn.Parameter(torch.tensor(-3.0))
        self.prior = nn.Parameter(torch.tensor([-4.0, -7.0]))
        self.look = Appearance(waves, seen)
        self.trust = Mix(seen, waves)
        nn.init.zeros_(self.trust.weight)
        paint = [nn.Conv2d(2, paint_channels, 3, padding=1, bias=False), nn.ReLU()]
        paint += [nn.Conv2d(paint_channels, paint_channels, 3, padding=1, bias=False), nn.ReLU()]
        self.paint = nn.Sequential(*paint, nn.Conv2d(paint_channels, 1, 3, padding=1, bias=False))
        nn.init.zeros_(self.paint[-1].weight)  # type: ignore[arg-type]

    def encode(self, frame: torch.Tensor) -> Encoded:
        """Represent frames: they themselves are the texture, (n, 2·waves, H/8, W/8) spectra of windows the shape."""
        beyond = (_WINDOW - _HOP) // 2
        return Encoded(frame, conv2d(pad(frame, (beyond,) * 4, mode="replicate"), self.basis, stride=_HOP))

    def magnify(self, encoded: Encoded, change: torch.Tensor, alpha: float | torch.Tensor) -> torch.Tensor:
        """Return the frames with every window moved on by alpha − 1 times its shift, and refined."""
        with torch.no_grad():
            moved = self._moved(encoded.texture, self.shift(encoded, change, alpha))
        painted: torch.Tensor = self.paint(torch.cat((moved, moved - encoded.texture), 1))
        return moved + painted

    def displacement(self, encoded: Encoded, change: torch.Tensor) -> torch.Tensor:
        """Return (n, 2, H/8, W/8) how far windows moved to the right and down, px."""
        middle = encoded.shape - 0.5 * change
        (real, imaginary), (turned, raised) = middle.chunk(2, 1), change.chunk(2, 1)
        energy = real * real + imaginary * imaginary
        mean = energy.mean(1, keepdim=True) + self.floor.exp() ** 2
        energy, phases = energy / mean, (imaginary * turned - real * raised) / mean
        curved = 1.0 + _CURVED * (turned * turned + raised * raised).mean(1, keepdim=True) / mean
        seen = self.look((energy + 1e-6).sqrt())
        return solve_levels(
            self._moments(softplus(self.trust(seen)), energy * curved, phases), self.prior.exp().unbind()
        )

    def _moments(self, trust: torch.Tensor, energy: torch.Tensor, phases: torch.Tensor) -> torch.Tensor:
        """Return (n, 5, h, w) the normal equations of phase = frequency · shift."""
        waves = _SLOW * self.slopes
        right, down = waves
        slopes = torch.stack((right * right, right * down, down * down)) / len(right)
        energies, turns = ((trust * part).permute(0, 2, 3, 1) for part in (energy, phases))
        moments = torch.cat((energies @ slopes.T, turns @ waves.T / len(right)), -1)
        return moments.permute(0, 3, 1, 2)

    def _moved(self, frame: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        """Move every window of frames (n, 1, H, W) by its shift (n, 2, H/8, W/8), and add them up."""
        n, _, height, width = frame.shape
        side, beyond = _WINDOW + 2 * _ROOM, _WINDOW - _HOP // 2
        patches = unfold(pad(frame, (beyond,) * 4, mode="replicate"), _WINDOW, stride=_HOP)
        patches = patches.transpose(1, 2).reshape(n, -1, _WINDOW, _WINDOW) * self.window
        spectra = torch.fft.rfft2(pad(patches, (_ROOM,) * 4))
        length = (shift * shift).sum(1, keepdim=True).sqrt()
        shift = pad(shift * (_ROOM / length.clamp(min=_ROOM)), (1, 1, 1, 1), mode="replicate").flatten(2)
        down = 2.0 * math.pi * torch.fft.fftfreq(side, device=frame.device)
        right = 2.0 * math.pi * torch.fft.rfftfreq(side, device=frame.device)
        turns = torch.polar(torch.ones_like(shift[:, 1, :, None]), -shift[:, 1, :, None] * down)[..., None]
        turns = turns * torch.polar(torch.ones_like(shift[:, 0, :, None]), -shift[:, 0, :, None] * right)[:, :, None]
        pieces = torch.fft.irfft2(spectra * turns, (side, side)).reshape(n, -1, side * side).transpose(1, 2)
        edge = beyond + _ROOM
        whole = fold(pieces, (height + 2 * edge, width + 2 * edge), side, stride=_HOP)
        return whole[:, :, edge:-edge, edge:-edge]


def _basis() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return windowed cosines, then minus sines, (2·waves, 1, 16, 16), and the window; shifts by 8 px add up to 1."""
    at = np.arange(_WINDOW) + 0.5
    hann = np.outer(*(np.sin(np.pi * at / _WINDOW) ** 2,) * 2)
    down, right = np.mgrid[-int(_FASTEST) : int(_FASTEST) + 1, : int(_FASTEST) + 1].reshape(2, -1)
    length = np.hypot(down, right)
    half = ((right > 0) | (down > 0)) & (length >= _SLOWEST) & (length <= _FASTEST)
    turn = 2.0 * np.pi / _WINDOW
    turns = np.exp(-1j * turn * (right[half, None, None] * at + down[half, None, None] * at[:, None]))
    level = (hann * turns).sum((1, 2), keepdims=True) / hann.sum()
    windowed = hann * (turns - level) / np.linalg.norm(hann)
    return np.concatenate((windowed.real, windowed.imag))[:, None], hann


def _slopes(basis: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (2, waves) the mean frequency to the right and down, rad/px, of what each wave sees of a picture.

    A window also lets neighbouring frequencies in, and a picture has the more of them the lower they are: its power
    falls with the square of the frequency. So it is lower than the wave's own.
    """
    side = 8 * _WINDOW
    real, imaginary = np.split(basis[:, 0], 2)
    seen = np.abs(np.fft.fft2(real - 1j * imaginary, (side, side))) ** 2
    turns = 2.0 * np.pi * np.fft.fftfreq(side)
    seen = seen / (turns[:, None] ** 2 + turns**2 + 1e-3)
    total = seen.sum((1, 2))
    slopes: NDArray[np.float64] = np.stack([(seen * turns).sum((1, 2)), (seen * turns[:, None]).sum((1, 2))]) / total
    return slopes
