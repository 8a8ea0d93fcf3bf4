"""`spikemm simulate`: a recording whose motion is known exactly."""

from pathlib import Path
from typing import Annotated

import typer

from tools.options import finite

__all__ = ["simulate"]

_CAMERA = "The camera"
_ROOM = "What else moves or changes (all off by default)"


def simulate(
    scene: Annotated[
        str,
        typer.Argument(
            help="tuning-fork, short-ruler, long-ruler, balloon, still or flat (even light, for calibration)."
        ),
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT.dat", help="The recording; OUT.yaml and OUT.truth.json go beside it.")
    ],
    seconds: Annotated[
        float, typer.Option(callback=finite, help="Length in seconds of sensor time; 1 s at 250×400 takes 250 MB.")
    ] = 0.2,
    frequency: Annotated[
        float | None,
        typer.Option(
            callback=finite, help="Frequency of the vibration in Hz.", show_default="310, 120, 40, 200 by scene"
        ),
    ] = None,
    amplitude: Annotated[
        float | None,
        typer.Option(
            callback=finite, help="Amplitude in px, half of peak to peak.", show_default="0.3, 0.4, 0.6, 0.25 by scene"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of everything random; the same seed gives the same file.")] = 0,
    light: Annotated[
        float, typer.Option(callback=finite, help="Factor on the light: 0.1 is a tenth of it.", rich_help_panel=_CAMERA)
    ] = 1.0,
    noise: Annotated[
        float,
        typer.Option(
            callback=finite,
            help="Temporal noise: standard deviation of a step's charge at full light, as a fraction of the threshold. "
            "Without it the only noise is that of whole spikes.",
            rich_help_panel=_CAMERA,
        ),
    ] = 0.0,
    fixed_pattern: Annotated[
        float,
        typer.Option(callback=finite, help="Spread of the pixels' gains, as a fraction.", rich_help_panel=_CAMERA),
    ] = 0.05,
    dark_current: Annotated[
        float, typer.Option(callback=finite, help="Charge without light, in spikes per step.", rich_help_panel=_CAMERA)
    ] = 0.0005,
    height: Annotated[int, typer.Option(help="Rows of the sensor, in px.", rich_help_panel=_CAMERA)] = 250,
    width: Annotated[int, typer.Option(help="Columns of the sensor, in px.", rich_help_panel=_CAMERA)] = 400,
    rate: Annotated[
        float, typer.Option(callback=finite, help="Steps per second, in Hz.", rich_help_panel=_CAMERA)
    ] = 20_000.0,
    shadow: Annotated[
        float,
        typer.Option(
            callback=finite, help="A wandering shadow: the fraction of the light it takes.", rich_help_panel=_ROOM
        ),
    ] = 0.0,
    air: Annotated[
        float,
        typer.Option(
            callback=finite, help="An air current: RMS sway of the twig in the background, px.", rich_help_panel=_ROOM
        ),
    ] = 0.0,
    desk: Annotated[
        float,
        typer.Option(
            callback=finite,
            help="Desk vibration: amplitude of the whole picture, px, up to 0.5.",
            rich_help_panel=_ROOM,
        ),
    ] = 0.0,
    desk_hz: Annotated[float, typer.Option(callback=finite, help="Its frequency in Hz.", rich_help_panel=_ROOM)] = 18.0,
    flicker: Annotated[
        float,
        typer.Option(
            callback=finite, help="Flicker of the lamps: amplitude as a fraction of the light.", rich_help_panel=_ROOM
        ),
    ] = 0.0,
    flicker_hz: Annotated[
        float, typer.Option(callback=finite, help="Its frequency in Hz.", rich_help_panel=_ROOM)
    ] = 100.0,
) -> None:
    """Simulate a spike camera in front of a scene of known motion, and write the recording and its truth.

    OUT.dat is as a camera writes it, rows bottom-up; OUT.yaml holds size, rate and orientation, so no command needs
    to be told. OUT.truth.json: scene, seconds, rate_hz, height, width, and motions: region [x, y, w, h] in px of
    the upright picture, hz, px (amplitude), angle_deg (0 is to the right, 90 down), phase_deg at step 0.

    For example:

    `spikemm simulate tuning-fork fork.dat`

    `spikemm simulate long-ruler ruler.dat --seconds 1 --frequency 40 --light 0.1 --noise 0.05 --flicker 0.02`
    """
    from spikemm.simulator import Disturbances, Sensor, Simulator, make_scene, write_recording
    from tools.progress import progress

    sensor = Sensor(light=light, fixed_pattern=fixed_pattern, dark_current=dark_current, temporal_noise=noise)
    room = Disturbances(
        shadow_depth=shadow, air_px=air, desk_px=desk, desk_hz=desk_hz, flicker=flicker, flicker_hz=flicker_hz
    )
    picture = make_scene(scene, height=height, width=width, frequency_hz=frequency, amplitude_px=amplitude)
    simulator = Simulator(picture, sensor, room, rate_hz=rate, seed=seed)
    with progress("simulating", round(seconds * rate)) as reached:
        write_recording(out, simulator, seconds, on_progress=lambda done, _: reached(done))
    typer.echo(f"{out}: {simulator.step} steps of {scene}, {height}×{width} px, {picture.hz:g} Hz, {picture.px:g} px")
