"""The page that stands beside every file of weights and says where they come from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["ModelCard"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelCard:
    """Where weights come from and what they are worth.

    Attributes
    ----------
    summary : str
        What the network does, in a sentence or two.
    data : str
        What it was trained on.
    command : str
        The command line that makes it again.
    seed : int or None
        Seed of that training; None where others trained it.
    figures : Mapping
        Measured figures by name, units in the name: ``{"PSNR, normal light (dB)": 43.6}``.
    limits : str
        What it was not trained for, and where it fails.
    date : str
        Day on which the training ended or the weights were imported, as 2025-01-31.
    licence : str
        SPDX name of the licence of the weights.
    """

    summary: str
    data: str
    command: str
    seed: int | None
    figures: Mapping[str, float | str]
    limits: str
    date: str
    licence: str = "Apache-2.0"

    @property
    def training(self) -> str:
        """What decides the weights, data, command and seed, as one line of JSON."""
        return json.dumps({"command": self.command, "data": self.data, "seed": self.seed}, sort_keys=True)

    def page(self, name: str, *, architecture: str, options: Mapping[str, object], parameters: int, digest: str) -> str:
        """Markdown text of the card.

        Parameters
        ----------
        name : str
            Name of the weights.
        architecture, options, parameters
            The network: its name, constructor options, and number of parameters.
        digest : str
            SHA-256 of the contents of the file that the card belongs to.
        """
        rows = "\n".join(f"| {_cell(figure)} | {_cell(value)} |" for figure, value in self.figures.items())
        facts = {
            "Network": f"`{architecture}`, {parameters:,} parameters, options `{json.dumps(dict(options))}`",
            "Trained on": self.data,
            "Seed": "unknown" if self.seed is None else str(self.seed),
            "Date": self.date,
            "Licence": self.licence,
            "Contents": f"SHA-256 `{digest}`",
        }
        return (
            f"# {name}\n\n{self.summary}\n\n"
            + "".join(f"- **{fact}:** {text}\n" for fact, text in facts.items())
            + f"\n## Training\n\n```sh\n{self.command}\n```\n"
            + f"\n## Figures\n\n| Figure | Value |\n| --- | --- |\n{rows}\n"
            + f"\n## Limits\n\n{self.limits}\n"
        )


def _cell(value: float | str) -> str:
    text = value if isinstance(value, str) else f"{value:.6g}"
    return text.replace("|", "\\|").replace("\n", " ")
