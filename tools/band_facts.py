"""What the user of a band must know."""

import torch
import typer

from spikemm.front import FrontSpec
from spikemm.magnification import phase_delay
from spikemm.magnification.temporal import BandPass
from spikemm.offline import hop_of
from spikemm.recording import Recording
from spikemm.response import response_map

__all__ = ["band_facts", "warn_of_settling"]


def warn_of_settling(recording: Recording, band: tuple[float, float]) -> None:
    """Say so where a recording ends before the band's filter has settled."""
    settling = BandPass(*band).settling_seconds
    if recording.seconds < settling:
        typer.echo(
            f"{recording.path}: lasts {1000 * recording.seconds:g} ms, and the filter of a band {band[1] - band[0]:g} "
            f"Hz wide takes {1000 * settling:g} ms to settle: little or nothing is magnified; "
            "take a longer recording, a wider --band, or none",
            err=True,
        )


def band_facts(recording: Recording, spec: FrontSpec, band: tuple[float, float], fps: float, light: float) -> list[str]:
    """Tell what the window kept at the band's centre in this mean light (spikes per step), and the filter's delay."""
    delay = phase_delay(band, hop_of(recording.rate_hz, fps) / recording.rate_hz, recording.rate_hz)
    kept = float(response_map(spec.timing, torch.tensor(light), delay.centre_hz, recording.rate_hz))
    ms = 1000 / recording.rate_hz
    return [
        f"{spec} keeps {kept:.0%} at {delay.centre_hz:.0f} Hz (divided out)",
        f"band filter's delay {delay.envelope_steps * ms:.1f} ms, phase {round(delay.degrees)}°",
    ]
