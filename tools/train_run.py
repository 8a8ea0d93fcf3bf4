"""A run of `spikemm train bsn`: from options to weights with their card."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import typer

from spikemm.calibration import calibration_of
from spikemm.device import pick_device
from spikemm.exceptions import WeightsError
from spikemm.recording import Recording
from spikemm.training import BSNOptions, BSNTraining, Source, adapt, train
from spikemm.weights import ModelCard, save_network
from tools.train_progress import ProgressTable
from tools.train_weights import checkpointed, figures_of, ready_weights, today
from tools.trained import Trained, arguments_of

__all__ = ["Run"]

_SUMMARIES = {
    "compact": "Guesses a pixel's light from its neighbours in six `interval` maps, at a short window and at one eight "
    "times as long, in spikes per step. It never sees the pixel itself: use it beside the pixel's own estimate.",
    "reference": "Guesses a pixel's light from its neighbours in the raw steps of one window, in spikes per step. It "
    "never sees the pixel itself.",
}
_LIMITS = (
    "Trained on motion of up to about 1.5 px. Texture finer than two pixels is not guessed from neighbours. PSNRs are "
    "against simulated truth, of the network alone, on random scenes that it was not trained on."
)


class Run:
    """One call of the command.

    Parameters
    ----------
    out : Path
        NAME.safetensors.
    options : BSNOptions
    recordings : sequence of Recording
        What to train on; the last fifth of their time is held out.
    command : str
        The command line, for the card.
    seed : int
    device : {'auto', 'cpu', 'cuda'}

    Raises
    ------
    OptionError
        If `out` has another ending or cannot be written, or the device is not there.
    CalibrationError
        If a recording's calibration does not fit.
    """

    def __init__(
        self, out: Path, options: BSNOptions, recordings: Sequence[Recording], *, command: str, seed: int, device: str
    ) -> None:
        ready_weights(out)
        self._out, self._options, self._recordings = out, options, recordings
        self._command, self._seed, self._device = command, seed, pick_device(device)
        self._sources = [Source.split(recording, calibration_of(recording)) for recording in recordings]

    def train(self, *, minutes: float | None, resume: bool, checkpoint_s: float) -> None:
        """Train, tell how it goes, write the weights; the checkpoints go when these are there."""
        training = BSNTraining(self._options, seed=self._seed, device=self._device, sources=self._sources)
        with checkpointed(self._out, self._command) as (checkpoints, stop):
            last = train(
                training,
                minutes=minutes,
                checkpoints=checkpoints,
                resume=resume,
                checkpoint_s=checkpoint_s,
                on_progress=ProgressTable(),
                stop=stop,
            )
            self._write(training, _data(self._options, self._recordings), figures_of(last))

    def adapt(self, trained: Trained, *, minutes: float | None) -> None:
        """Fit trained weights to the recordings; write them if they gained.

        Raises
        ------
        WeightsError
            If they did not.
        """
        training = BSNTraining(
            self._options, seed=self._seed, device=self._device, network=trained.network, sources=self._sources
        )
        result = adapt(training, minutes=minutes, on_progress=ProgressTable())
        before, after = result.before.held_out_loss, result.after.held_out_loss
        if not result.gained:
            raise WeightsError(
                f"{self._out} is not written: the loss on what is held out was {before:.4f} and did not fall; "
                f"keep {trained.path}, or take a longer recording"
            )
        data = f"{trained.path.stem}, fitted to {_data(self._options, self._recordings)}"
        self._write(training, data, {"held-out loss before": f"{before:.4f}", **figures_of(result.after)})
        typer.echo(f"held-out loss: {before:.4f} before, {after:.4f} after {result.after.iteration} iterations")

    def _write(self, training: BSNTraining, data: str, figures: Mapping[str, str]) -> None:
        architecture = self._options.architecture
        card = ModelCard(
            summary=_SUMMARIES[architecture],
            data=data,
            command=self._command,
            seed=self._seed,
            figures=figures,
            limits=_LIMITS,
            date=today(),
        )
        # All arguments, given or not: a later version may have other defaults.
        arguments = arguments_of(training.network)
        save_network(self._out, training.network, architecture=architecture, options=arguments, card=card)
        typer.echo(f"{self._out} and {self._out.with_suffix('.md').name} are written")


def _data(options: BSNOptions, recordings: Sequence[Recording]) -> str:
    names = ", ".join(
        f"{recording.path.name} (calibrated)" if recording.calibration else recording.path.name
        for recording in recordings
    )
    simulated = f"simulated random scenes (light {options.light[0]:g} to {options.light[1]:g}, motion 20 to 600 Hz)"
    if not recordings:
        return simulated
    if options.simulated == 0.0:
        return f"recordings: {names}"
    return f"{simulated}, {options.simulated:.0%} of all; recordings: {names}"
