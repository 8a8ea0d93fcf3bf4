"""`spikemm weights`: weights that others released, and where those of a file are from."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

_SUFFIX = ".safetensors"

app = typer.Typer(no_args_is_help=True)


class Released(StrEnum):
    """Networks whose authors released weights."""

    OH2018 = "oh2018"


@app.callback()
def _weights() -> None:
    """Files of weights: import those that others released, show where a file's are from."""


@app.command("import")
def import_weights(
    network: Annotated[Released, typer.Argument(metavar="oh2018", help="The network.", show_choices=False)],
    released: Annotated[
        Path, typer.Argument(metavar="FILE", help="The .npz with the released variables under their own names.")
    ],
    out: Annotated[
        Path | None,
        typer.Argument(
            metavar=f"[OUT{_SUFFIX}]",
            help="The weights; their card OUT.md goes beside them.",
            show_default=f"NETWORK{_SUFFIX} in this folder",
        ),
    ] = None,
) -> None:
    """Turn released weights into a file that `magnify` takes, and check them.

    **oh2018**: the learned magnifier of Oh et al. (2018). FILE holds the variables of the authors' TensorFlow
    checkpoint, each under its own name, as numpy.savez writes them. Where it also holds a pair `example/frame_a`,
    `example/frame_b`, `example/alpha` and `example/output_before_clip`, the network must give that output within 1e-4.
    Nothing in FILE is run.

    Example: `spikemm weights import oh2018 oh2018_official.npz`
    """
    from spikemm.exceptions import OptionError

    out = Path(f"{network.value}{_SUFFIX}") if out is None else out
    if out.suffix != _SUFFIX:
        raise OptionError(f"{out}: the name of weights ends in {_SUFFIX}")

    from tools.output_folder import ready_folder

    ready_folder(out.parent)
    _import_oh2018(released, out)
    typer.echo(f"{out} and {out.with_suffix('.md').name} are written")


def _import_oh2018(released: Path, out: Path) -> None:
    from datetime import UTC, datetime

    from spikemm.magnification.learned.oh2018_release import example_error, read_release
    from spikemm.weights import ModelCard, save_network

    network, example = read_release(released)
    error = example_error(released, network, example)
    checked = "no example in the file" if error is None else f"{error:.2g}"
    card = ModelCard(
        summary="Magnifies small motions: encodes two frames into texture and shape, multiplies the difference of the "
        "shapes, paints the frame. The weights that Oh et al., Learning-based Video Motion Magnification (2018), "
        "released.",
        data="by its authors, on objects cut out of PASCAL VOC and moved over pictures of MS COCO",
        command=f"spikemm weights import oh2018 {released.name}",
        seed=None,
        figures={"largest error on the authors' example (black to white is 2)": checked},
        limits="Hardly magnifies what it would move by less than about 1 px; never measure on its output. Its authors "
        "provide it for academic use; ask them about any other.",
        date=datetime.now(UTC).date().isoformat(),
        licence="NOASSERTION",
    )
    save_network(out, network, architecture="oh2018", options=network.options, card=card)
    typer.echo(f"largest error on the file's example: {checked}")


@app.command("show")
def show(
    weights: Annotated[
        str, typer.Argument(metavar="WEIGHTS", help=f"A {_SUFFIX}, or the name of some that come with the package.")
    ],
) -> None:
    """Check a file of weights and show its card: what they are, from what data, how good, and where they fail.

    Example: `spikemm weights show compact_bsn`
    """
    from spikemm.weights import bundled, read_card

    path = Path(weights) if weights.endswith(_SUFFIX) else bundled(weights)
    typer.echo(read_card(path), nl=False)
