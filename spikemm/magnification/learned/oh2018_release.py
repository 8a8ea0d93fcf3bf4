"""The weights that Oh et al. released, under their own names, as a network of ours."""

import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from spikemm.exceptions import WeightsError
from spikemm.magnification.learned.oh2018_network import Oh2018

__all__ = ["EXAMPLE_TOLERANCE", "example_error", "read_release"]

EXAMPLE_TOLERANCE = 1e-4
"""How far the network's output may be from the one that comes with the weights, black to white being 2."""

_SCOPE = "ynet_3frames/"
_LIMIT_BYTES = 64 << 20
_REMEDY = "export the checkpoint's variables again, each under its own name, with numpy.savez"
_DAMAGES = (
    zipfile.BadZipFile,
    zlib.error,
    ValueError,
    LookupError,
    EOFError,
    MemoryError,
    RuntimeError,
)
_CONVOLUTIONS = {
    "encoder.conv1": "encoder/enc_conv1_c",
    "encoder.conv2": "encoder/enc_conv2_c",
    "encoder.texture_conv": "encoder/enc_texture_conv",
    "manipulator.conv": "manipulator/mani_conv0c",
    "manipulator.after": "manipulator/mani_aft_conv0c",
    "decoder.texture_conv": "decoder/texture_upsample",
    "decoder.conv": "decoder/dec_conv2_c",
    "decoder.last": "decoder/pred_conv",
}
_BLOCKS = {
    **{f"encoder.blocks.{i}": f"encoder/encoder_resblk{i}" for i in range(3)},
    "encoder.texture_blocks.0": "encoder/texture_enc",
    "encoder.texture_blocks.1": "encoder/texture_enc_1",
    "encoder.shape_blocks.0": "encoder/shape_enc",
    "encoder.shape_blocks.1": "encoder/shape_enc_1",
    "manipulator.block": "manipulator/mani_resblk0",
    **{f"decoder.blocks.{i}": f"decoder/decoder_resblk{i}" for i in range(9)},
}


def _released_names() -> dict[str, str]:
    """Names of the release by those of our parameters."""
    names = dict(_CONVOLUTIONS)
    for ours, theirs in _BLOCKS.items():
        names |= {f"{ours}.first": f"{theirs}_c1", f"{ours}.second": f"{theirs}_c2"}
    return {f"{ours}.weight": f"{_SCOPE}{theirs}/Conv/weights" for ours, theirs in names.items()}


def read_release(path: Path) -> tuple[Oh2018, dict[str, NDArray[np.float32]]]:
    """Read the released weights from an .npz archive.

    Parameters
    ----------
    path : Path
        The variables of the authors' TensorFlow checkpoint under their own names, whatever stands before
        ``ynet_3frames/``; convolutions as (row, column, input, output).

    Returns
    -------
    network : Oh2018
        In full size, in evaluation mode.
    example : dict
        What the archive holds under ``example/``: an input and output pair, or nothing.

    Raises
    ------
    WeightsError
        If the file is missing, damaged or no such archive, or a variable is missing, of another shape, or not finite.

    Notes
    -----
    Nothing in the file is run: pickled objects are refused.
    """
    arrays = _read_arrays(path)
    own = {f"{_SCOPE}{name.split(_SCOPE, 1)[1]}": array for name, array in arrays.items() if _SCOPE in name}
    network = Oh2018()
    state = {
        ours: _as_weight(path, theirs, own.get(theirs), network.get_parameter(ours))
        for ours, theirs in _released_names().items()
    }
    network.load_state_dict(state)
    prefix = "example/"
    return network.eval(), {name[len(prefix) :]: a for name, a in arrays.items() if name.startswith(prefix)}


@torch.inference_mode()
def example_error(path: Path, network: Oh2018, example: dict[str, NDArray[np.float32]]) -> float | None:
    """Return the largest error of the network on the pair that comes with its weights; None where there is no pair.

    Parameters
    ----------
    path : Path
        The file they are from, for messages.
    network : Oh2018
        With those weights.
    example : dict
        ``frame_a`` and ``frame_b`` (n, 3, H, W), ``alpha``, and ``output_before_clip``, as `read_release` gives them.

    Raises
    ------
    WeightsError
        If the pair is incomplete, or the error is above `EXAMPLE_TOLERANCE`.
    """
    if not example:
        return None
    try:
        a, b, output = (torch.from_numpy(example[name]) for name in ("frame_a", "frame_b", "output_before_clip"))
        before, after = network.encode(a), network.encode(b)
        moved = network.manipulate(after.shape, after.shape - before.shape, float(example["alpha"]))
        error = float((network.decode(after.texture, moved) - output).abs().max())
    except (LookupError, TypeError, ValueError, RuntimeError) as fault:
        raise WeightsError(
            f"{path} has an example that is none ({_line(fault)}): leave it out, or {_REMEDY}"
        ) from fault
    if not error <= EXAMPLE_TOLERANCE:
        limit = f"{EXAMPLE_TOLERANCE:g} is allowed"
        raise WeightsError(f"{path}: the network misses the file's own example by {error:.2g}, {limit}: {_REMEDY}")
    return error


def _read_arrays(path: Path) -> dict[str, NDArray[np.float32]]:
    if not path.is_file():
        raise WeightsError(f"{path} is not there, or is not a file: check the path")
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > _LIMIT_BYTES:
            raise WeightsError(f"{path} holds {size} bytes, {_LIMIT_BYTES} at most are read: {_REMEDY}")
        with np.load(path, allow_pickle=False) as contents:
            return {name: np.asarray(contents[name]) for name in contents.files}
    except (
        zipfile.BadZipFile,
        zlib.error,
        ValueError,
        LookupError,
        EOFError,
        MemoryError,
        NotImplementedError,
    ) as error:
        raise WeightsError(f"{path} is no .npz of plain arrays, or damaged ({_line(error)}): {_REMEDY}") from error
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror}): check its permissions") from error


def _as_weight(path: Path, name: str, array: NDArray[np.float32] | None, wanted: torch.Tensor) -> torch.Tensor:
    """Turn a released array into a weight of torch's order."""
    if array is None:
        raise WeightsError(f"{path} lacks the variable {name}: {_REMEDY}")
    outputs, inputs, rows, columns = wanted.shape
    if array.shape != (rows, columns, inputs, outputs) or array.dtype != np.float32:
        found = f"{array.shape} {array.dtype}"
        raise WeightsError(f"{path} has {name} of {found}, not {(rows, columns, inputs, outputs)} float32: {_REMEDY}")
    if not np.isfinite(array).all():
        raise WeightsError(f"{path} has values in {name} that are not finite: {_REMEDY}")
    return torch.from_numpy(array.transpose(3, 2, 0, 1).copy())


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())
