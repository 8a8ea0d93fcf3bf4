"""Multi-level information extraction: sharp where it moves, clean where it does not (the paper's section III)."""

from collections.abc import Sequence
from pathlib import Path

import torch

from spikemm.blind_spot.pairs import Pair, load_pair
from spikemm.encoding import Windows
from spikemm.front import LEVELS, FrontSpec
from spikemm.fusion import BrightnessMap, MotionMask, OwnPixel
from spikemm.reconstruction import FrontEnd

__all__ = ["Extraction", "GuessAlone", "PaperExtraction", "make_extraction"]

_MEMORY_LONG_WINDOWS = 16


def make_extraction(spec: FrontSpec, *, device: str | torch.device, weights: Path | None) -> FrontEnd:
    """Make a front end that has networks; see ``make_front_end``."""
    pair = load_pair(spec, device, weights)
    if spec.name in ("bsn1", "bsn2"):
        return GuessAlone(spec, pair, device)
    return (PaperExtraction if spec.name == "paper" else Extraction)(spec, pair, device)


class GuessAlone(FrontEnd):
    """One blind-spot network's guess as the frame: ``bsn1`` of the short window, ``bsn2`` of the long one.

    Parameters
    ----------
    spec : FrontSpec
        Which of them.
    pair : Pair
        The networks.
    device : str or torch.device
        Where frames are computed.
    """

    def __init__(self, spec: FrontSpec, pair: Pair, device: str | torch.device = "cpu") -> None:
        self.spec, self._guess = spec, pair.short if spec.name == "bsn1" else pair.long
        super().__init__(device)

    def reset(self) -> None:
        """Do nothing: a guess has no memory."""

    def _light(self, windows: Sequence[Windows]) -> torch.Tensor:
        maps = [self.stacked(windows, spec) for spec in self.spec.inputs]
        return self._guess(maps, *maps[0].shape[-2:])


class PaperExtraction(FrontEnd):
    """The paper's fusion (10): O = M·T(O_1) + (1 − M)·O_2.

    O_1 and O_2 are the networks' guesses of the short and of the long window, M the soft mask of motion and T the map
    that brings O_1 to O_2's brightness.

    Parameters
    ----------
    spec : FrontSpec
        Windows.
    pair : Pair
        The networks.
    device : str or torch.device
        Where frames are computed.
    """

    def __init__(self, spec: FrontSpec, pair: Pair, device: str | torch.device = "cpu") -> None:
        memory_steps = float(_MEMORY_LONG_WINDOWS * LEVELS * spec.window)
        self.mask = MotionMask(spec.segments, device=device)
        self._brightness = BrightnessMap(memory_steps, device=device)
        self.spec, self._pair = spec, pair
        super().__init__(device)

    def reset(self) -> None:
        """Forget what has moved, and how bright it was."""
        self.mask.reset()
        self._brightness.reset()

    def _light(self, windows: Sequence[Windows]) -> torch.Tensor:
        segments = self.stacked(windows, self.spec.segments)
        maps = [self.stacked(windows, spec) for spec in self.spec.inputs]
        short, long = (guess(maps, *segments.shape[-2:]) for guess in (self._pair.short, self._pair.long))
        frames = torch.empty_like(short)
        for i, window in enumerate(windows):
            moving = self.mask.push(segments[i], window.step)
            levels = self._levels([one[i] for one in maps], short[i], long[i], window.step)
            frames[i] = self._fuse(*levels, moving, window.step)
        return frames

    def _levels(
        self, maps: list[torch.Tensor], short: torch.Tensor, long: torch.Tensor, step: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return O_1 and O_2 of one window."""
        return short, long

    def _fuse(self, short: torch.Tensor, long: torch.Tensor, moving: torch.Tensor, step: int) -> torch.Tensor:
        mapped, lamp = self._brightness.push(short, long, 1.0 - moving, step)
        return torch.lerp(long * lamp, mapped, moving).clamp_(0.0, 1.0)


class Extraction(PaperExtraction):
    """The same fusion of better levels: each is the pixel's own ``interval`` blended with the network's guess of it.

    Parameters
    ----------
    spec : FrontSpec
        Windows.
    pair : Pair
        The networks.
    device : str or torch.device
        Where frames are computed.
    """

    def __init__(self, spec: FrontSpec, pair: Pair, device: str | torch.device = "cpu") -> None:
        memory_steps = float(_MEMORY_LONG_WINDOWS * LEVELS * spec.window)
        windows = spec.window, LEVELS * spec.window
        self._own = tuple(OwnPixel(memory_steps, window) for window in windows)
        super().__init__(spec, pair, device)

    def reset(self) -> None:
        """Forget what has moved, how bright it was, and how good the guesses were."""
        super().reset()
        for own in self._own:
            own.reset()

    def _levels(
        self, maps: list[torch.Tensor], short: torch.Tensor, long: torch.Tensor, step: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        light = maps[-1]
        windows = self.spec.timing.window, LEVELS * self.spec.window
        assert self.mask.motion is not None
        pairs = zip(self._own, (maps[2], maps[-1]), (short, long), windows, strict=True)
        first, second = (
            blend.push(own, guess, self.mask.noise.variance(light, window), self.mask.motion, step)
            for blend, own, guess, window in pairs
        )
        return first, second
