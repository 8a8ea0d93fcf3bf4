"""What a comparison on a simulated scene is made of, and what comes out of it."""

from dataclasses import dataclass

from spikemm.evaluation.rows import RowResult
from spikemm.evaluation.truth import SceneTruth
from spikemm.exceptions import OptionError
from spikemm.simulator import Sensor, make_scene

__all__ = ["SceneResult", "Setting", "scene_truth"]

_DARK_CURRENT = 0.0005


@dataclass(frozen=True, slots=True)
class Setting:
    """A simulated recording to compare front ends on.

    Attributes
    ----------
    scene : str
        One of `spikemm.simulator.SCENES` that moves.
    frequency_hz, amplitude_px : float, optional
        Other than the scene's own.
    periods : float
        Length in periods of the motion.
    frames_per_period : float
        About so many frames are made of a period.
    light : float
        Factor on the scene's light.
    noise : float
        Temporal noise of the sensor, see `spikemm.simulator.Sensor`.
    fixed_pattern : float
        Spread of the pixels' gains. Above 0 pixels have a dark current as well, and the stream is corrected by a
        calibration from a simulated dark and flat recording; at 0 the sensor has neither.
    height, width : int
        Pixels.
    rate_hz : float
        Steps per second.
    seed : int
        Of everything random.
    """

    scene: str
    frequency_hz: float | None = None
    amplitude_px: float | None = None
    periods: float = 100.0
    frames_per_period: float = 10.0
    light: float = 1.0
    noise: float = 0.0
    fixed_pattern: float = 0.0
    height: int = 250
    width: int = 400
    rate_hz: float = 20_000.0
    seed: int = 0

    @property
    def sensor(self) -> Sensor:
        """The camera."""
        return Sensor(
            light=self.light,
            fixed_pattern=self.fixed_pattern,
            dark_current=_DARK_CURRENT if self.fixed_pattern else 0.0,
            temporal_noise=self.noise,
        )


@dataclass(frozen=True, slots=True)
class SceneResult:
    """All rows of one scene, the truth first.

    Attributes
    ----------
    setting : Setting
    hz, px : float
        Frequency and amplitude of the motion.
    hop : int
        Steps from frame to frame.
    steps : int
        Steps simulated.
    region : tuple of int
        x, y, width, height of the smallest box around all that moves as one piece, px.
    rows : tuple of RowResult
    seconds : float
        What it all took.
    """

    setting: Setting
    hz: float
    px: float
    hop: int
    steps: int
    region: tuple[int, int, int, int]
    rows: tuple[RowResult, ...]
    seconds: float

    def row(self, name: str) -> RowResult:
        """Return the row of that name.

        Raises
        ------
        KeyError
        """
        return {row.figures.row: row for row in self.rows}[name]


def scene_truth(setting: Setting) -> SceneTruth:
    """Return the truth of a setting's scene.

    Raises
    ------
    OptionError
        The scene is unknown, its numbers are out of range, or it does not move.
    """
    scene = make_scene(
        setting.scene,
        height=setting.height,
        width=setting.width,
        frequency_hz=setting.frequency_hz,
        amplitude_px=setting.amplitude_px,
    )
    if not (scene.hz and scene.px):
        raise OptionError(f"{setting.scene} at {scene.hz:g} Hz and {scene.px:g} px does not move: choose another scene")
    return SceneTruth(scene, setting.light, setting.rate_hz)
