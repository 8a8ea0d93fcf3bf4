"""`synthetic_camera`: a simulated spike camera in real time."""

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from engine import Source, Wait
from nodes.messages import Spikes
from nodes.schedule import Schedule
from spikemm.calibration import Calibration
from spikemm.exceptions import SpikeMMError

__all__ = ["SyntheticCamera"]

_LATE_S = 1.0


class SyntheticCameraOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Options of `synthetic_camera`."""

    scene: Annotated[
        Literal["tuning-fork", "short-ruler", "long-ruler", "balloon", "still", "flat"],
        Meta(description="What it looks at."),
    ] = "tuning-fork"
    height: Annotated[int, Meta(ge=16, le=4096, description="Rows.")] = 250
    width: Annotated[int, Meta(ge=16, le=4096, description="Columns.")] = 400
    rate_hz: Annotated[float, Meta(gt=0, le=1e6, description="Steps per second.")] = 20_000.0
    frequency_hz: Annotated[float, Meta(ge=0, description="Of the vibration; null: the scene's own.")] | None = None
    amplitude_px: Annotated[float, Meta(ge=0, le=10, description="Of the vibration; null: the scene's own.")] | None = (
        None
    )
    light: Annotated[float, Meta(ge=0, le=100, description="Factor on the scene's light.")] = 1.0
    noise: Annotated[float, Meta(ge=0, le=1, description="Temporal noise at a light of 1, part of the threshold.")] = 0
    fixed_pattern: Annotated[float, Meta(ge=0, le=1, description="Spread of the pixels' gains.")] = 0.05
    dark_current: Annotated[float, Meta(ge=0, le=1, description="Spikes per step without light.")] = 0.0005
    shadow_depth: Annotated[float, Meta(ge=0, le=1, description="Light that a wandering shadow takes away.")] = 0.0
    air_px: Annotated[float, Meta(ge=0, le=5, description="Sway of the background's twig, RMS.")] = 0.0
    desk_px: Annotated[float, Meta(ge=0, le=0.5, description="Shake of the whole picture, amplitude.")] = 0.0
    desk_hz: Annotated[float, Meta(ge=0, le=10_000, description="Its frequency.")] = 18.0
    flicker: Annotated[float, Meta(ge=0, le=1, description="Flicker of the lamps, part of the light.")] = 0.0
    flicker_hz: Annotated[float, Meta(ge=0, le=10_000, description="Its frequency.")] = 100.0
    seed: Annotated[int, Meta(ge=0, description="Of everything random.")] = 0
    calibration: Annotated[str, Meta(max_length=1000, description="The sensor's, a .npz; empty: none.")] = ""
    chunk_steps: Annotated[int, Meta(ge=1, le=100_000, description="Steps per message.")] = 80


class SyntheticCamera(Source):
    """Simulate a camera by the clock, waiting for nobody.

    Where the machine is too slow for that, the counter `behind_ms_max` tells by how much; from 1 s on the steps that it
    is behind by are lost as a camera loses them: a gap in the stream, counted as `steps_lost`, during which the scene
    stands still. The counter `steps` is what was produced.
    """

    Options = SyntheticCameraOptions
    emits = Spikes
    live = True
    user_errors = (SpikeMMError,)

    @classmethod
    def check(cls, options: SyntheticCameraOptions) -> None:
        """Read the calibration, so that what is wrong with it is said before anything starts."""
        if options.calibration:
            Calibration.load(options.calibration, options.height, options.width)

    def setup(self) -> None:
        """Paint the scene; the clock starts with the first message."""
        # Here and not above: the simulator compiles kernels, which the parent and other nodes do without.
        from spikemm import simulator

        options = self.options
        scene = simulator.make_scene(
            options.scene,
            height=options.height,
            width=options.width,
            frequency_hz=options.frequency_hz,
            amplitude_px=options.amplitude_px,
        )
        sensor = simulator.Sensor(
            light=options.light,
            fixed_pattern=options.fixed_pattern,
            dark_current=options.dark_current,
            temporal_noise=options.noise,
        )
        room = simulator.Disturbances(
            shadow_depth=options.shadow_depth,
            air_px=options.air_px,
            desk_px=options.desk_px,
            desk_hz=options.desk_hz,
            flicker=options.flicker,
            flicker_hz=options.flicker_hz,
        )
        self._calibration = str(Path(options.calibration).resolve()) if options.calibration else ""
        self._camera = simulator.Simulator(scene, sensor, room, rate_hz=options.rate_hz, seed=options.seed)
        last = self.context.resume_step
        self._step = 0 if last is None else last + 1
        self._schedule: Schedule | None = None
        # A chunk is made ahead: it leaves as soon as it is due, and kernels are compiled before the clock starts.
        self._ahead: Any = self._camera.steps(options.chunk_steps)

    def produce(self) -> Spikes | Wait:
        """Return the next chunk once its last step has been sensed."""
        options, context = self.options, self.context
        if self._ahead is None:
            self._ahead = self._camera.steps(options.chunk_steps)
        schedule = self._schedule = self._schedule or Schedule(context.clock, options.rate_hz, self._step)
        late = schedule.behind(self._step + options.chunk_steps)
        if late < 0:
            return Wait(schedule.due(self._step + options.chunk_steps))
        context.counters["behind_ms_max"] = max(context.counters["behind_ms_max"], round(1000 * late))
        lost = int(late * options.rate_hz) if late > _LATE_S else 0
        if lost:
            context.count("steps_lost", lost)
            context.log.warning("%.1f s behind: %d steps lost; this machine is too slow for this camera", late, lost)
        return self._spikes(lost)

    def _spikes(self, lost: int) -> Spikes:
        options = self.options
        start, packed, self._ahead = self._step + lost, self._ahead, None
        self._step = start + options.chunk_steps
        self.context.count("steps", options.chunk_steps)
        return Spikes(
            step=start,
            count=options.chunk_steps,
            gap=lost,
            rate_hz=options.rate_hz,
            packed=packed,
            height=options.height,
            width=options.width,
            calibration=self._calibration,
        )

    def status(self) -> dict[str, Any]:
        """Return the scene and the time since its start."""
        return {"scene": self.options.scene, "step": self._step, "seconds": self._step / self.options.rate_hz}
