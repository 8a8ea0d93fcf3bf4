"""One simulated take of a vibration that is to be magnified: scene, light, camera, front end, length."""

from dataclasses import dataclass

from spikemm.evaluation.magnification.close_up import around, close_up
from spikemm.evaluation.truth import even_hop
from spikemm.exceptions import OptionError
from spikemm.front import FrontSpec
from spikemm.simulator import Disturbances, Scene, Sensor, make_scene

__all__ = ["FRAMES_PER_PERIOD", "Shot"]

FRAMES_PER_PERIOD = 6.0
_BAND_RATIO = 1.25
_FLICKER_RATIO = 1.08


@dataclass(frozen=True, slots=True)
class Shot:
    """A take and how it is magnified: in the band of 0.8 to 1.25 times the scene's frequency.

    Attributes
    ----------
    scene : str
        One of `spikemm.simulator.SCENES` that moves.
    px : float
        Amplitude of its motion; 0: it stands still.
    noise : float
        Temporal noise of the sensor, see `spikemm.simulator.Sensor`.
    flicker : float
        Amplitude of the lamps' flicker as a fraction of the light, at 1.08 times the scene's frequency.
    front : FrontSpec
        What makes the frames.
    height, width : int
        Pixels of the close-up.
    settling : int
        Frames before those that are judged: filters, references and averages come to rest.
    frames : int
        Frames that are judged.
    rate_hz : float
        Steps per second.
    seed : int
        Of everything random.
    """

    scene: str = "tuning-fork"
    px: float = 0.3
    noise: float = 0.0
    flicker: float = 0.0
    front: FrontSpec = FrontSpec("interval", 32)
    height: int = 112
    width: int = 200
    settling: int = 144
    frames: int = 24
    rate_hz: float = 20_000.0
    seed: int = 0

    @property
    def view(self) -> Scene:
        """The scene as the camera sees it.

        Raises
        ------
        OptionError
            If there is no such scene, or nothing in it could move.
        """
        whole = make_scene(self.scene, amplitude_px=self.px)
        if not whole.motions:
            raise OptionError(f"{self.scene} has nothing that moves: choose another scene")
        return close_up(whole, around(whole, self.height, self.width))

    @property
    def hz(self) -> float:
        """Frequency of the scene's motion."""
        return self.view.hz

    @property
    def hop(self) -> int:
        """Steps from frame to frame, for about six frames a period."""
        return even_hop(self.hz, self.rate_hz, FRAMES_PER_PERIOD)

    @property
    def band_hz(self) -> tuple[float, float]:
        """Limits of the band that is magnified."""
        return self.hz / _BAND_RATIO, self.hz * _BAND_RATIO

    @property
    def flicker_hz(self) -> float:
        """Frequency of the flicker: in the band, and another than the motion's."""
        return self.hz * _FLICKER_RATIO

    @property
    def sensor(self) -> Sensor:
        """A camera without fixed pattern."""
        return Sensor(fixed_pattern=0.0, dark_current=0.0, temporal_noise=self.noise)

    @property
    def room(self) -> Disturbances:
        """What happens to the light."""
        return Disturbances(flicker=self.flicker, flicker_hz=self.flicker_hz if self.flicker else 0.0)
