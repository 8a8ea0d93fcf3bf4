"""The simulated spike camera: a stream of packed spikes of a scene, as long as one likes."""

import math

import numpy as np
from numpy.typing import NDArray

from spikemm.exceptions import OptionError
from spikemm.simulator.light import ComputedLight, LookedUpLight
from spikemm.simulator.scene import Scene, make_scene
from spikemm.simulator.sensor import Disturbances, Sensor

__all__ = ["Simulator", "warm_up"]

_CHUNK_STEPS = 64


class Simulator:
    """An integrate-and-fire camera in front of a scene.

    Every pixel adds the light of a step to its charge; where the charge reaches the threshold of 1 the pixel fires and
    keeps the rest. Charges start at random, so that pixels of equal light do not fire together. Step k gathers the
    light of the instant (k + ½) / rate, so the displacement in a window centred on step t is that of the time t / rate.

    The same arguments give the same spikes, however the steps are asked for. Without disturbance and temporal noise
    the light is looked up in fixed point (3·10⁻⁵ spikes per step, dithered) at 129 displacements; otherwise it is
    computed at every step, several times slower, and shadow and sway are linear over segments of 5 ms.

    Parameters
    ----------
    scene : Scene
    sensor : Sensor, optional
    disturbances : Disturbances, optional
    rate_hz : float
        Steps per second.
    seed : int
        Of everything random: first charges, fixed pattern, noise, gusts.

    Raises
    ------
    OptionError
        If the rate or the seed is out of range, or the scene vibrates too fast for the rate.
    """

    def __init__(
        self,
        scene: Scene,
        sensor: Sensor | None = None,
        disturbances: Disturbances | None = None,
        *,
        rate_hz: float = 20_000.0,
        seed: int = 0,
    ) -> None:
        if not (math.isfinite(rate_hz) and rate_hz > 0.0):
            raise OptionError(f"rate is {rate_hz} Hz; it must be a finite number above 0")
        if scene.hz > rate_hz / 4.0:
            raise OptionError(
                f"the scene vibrates at {scene.hz:g} Hz; at {rate_hz:g} steps/s use at most {rate_hz / 4:g} Hz"
            )
        if seed < 0:
            raise OptionError(f"seed is {seed}; it must be 0 or above")
        self.scene = scene
        self.sensor = sensor or Sensor()
        self.disturbances = disturbances or Disturbances()
        self.rate_hz = rate_hz
        self.seed = seed
        looked_up = self.disturbances.none and self.sensor.temporal_noise == 0.0
        kind = LookedUpLight if looked_up else ComputedLight
        self._light = kind(scene, self.sensor, self.disturbances, rate_hz, seed)
        self._step = 0

    @property
    def step(self) -> int:
        """Number of the step that `steps` gives next."""
        return self._step

    def steps(self, count: int) -> NDArray[np.uint8]:
        """Return the next steps, in order.

        Parameters
        ----------
        count : int

        Returns
        -------
        ndarray
            (count, ⌈H·W/8⌉) uint8, upright, pixel i in byte i//8 bit i%8; bits behind the last pixel are 0.
        """
        width = -(-self.scene.height * self.scene.width // 8)
        packed = np.empty((count, width), np.uint8)
        for start in range(0, count, _CHUNK_STEPS):
            stop = min(count, start + _CHUNK_STEPS)
            packed[start:stop] = self._light.fire(self._step, stop - start)
            self._step += stop - start
        return packed

    def light(self, step: float, *, magnification: float = 1.0) -> NDArray[np.float32]:
        """Return the truth: the light at an instant, disturbances included, faults of the sensor not.

        Parameters
        ----------
        step : float
            The instant, in steps; the centre of a window is a whole number.
        magnification : float
            Total factor on the scene's own vibration; shake and sway stay as they are.

        Returns
        -------
        ndarray
            (H, W) float32, spikes per step; above 1 the sensor saturates.
        """
        room, seconds = self.disturbances, step / self.rate_hz
        now = np.array([seconds])
        picture = self.scene.frame(
            self.scene.factor(step, self.rate_hz),
            magnification=magnification,
            sway_px=room.sway(seconds, self.seed),
            shake_px=room.shake_px(float(room.shake(now)[0])),
        )
        lamp = self.sensor.light * np.float32(room.lamp(now)[0])
        lit: NDArray[np.float32] = picture * room.shade(self.scene.height, self.scene.width, seconds) * lamp
        return lit


def warm_up() -> None:
    """Compile the kernels, or load them from Numba's cache, so that the first real step is not late."""
    scene = make_scene("tuning-fork", height=16, width=16)
    Simulator(scene).steps(2)
    Simulator(scene, Sensor(temporal_noise=0.1), Disturbances(shadow_depth=0.1)).steps(2)
