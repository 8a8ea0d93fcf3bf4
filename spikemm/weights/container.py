"""Tensors and text in one file, which is either read whole and unchanged or refused.

The file is in safetensors format: a JSON header and raw numbers, nothing that can run. A SHA-256 over everything in it
stands in its metadata, so that a flipped bit is found as surely as a missing byte.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from spikemm.exceptions import WeightsError
from spikemm.whole_file import whole_file

__all__ = ["Container", "read_container", "replace_file", "write_container"]

_HEADER_BYTES = 1 << 20
_DIGEST = "sha256"
_FORMAT = "format"
_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


@dataclass(frozen=True, slots=True)
class Container:
    """What a file holds.

    Attributes
    ----------
    tensors : dict
        Tensors by name, on the CPU.
    metadata : dict
        Text by name.
    digest : str
        SHA-256 of both in hexadecimal: the identity of the contents.
    """

    tensors: dict[str, torch.Tensor]
    metadata: dict[str, str]
    digest: str


def write_container(
    path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str], *, kind: str, limit_bytes: int
) -> str:
    """Write a file in one stroke: whoever looks finds the old one or the whole new one.

    Parameters
    ----------
    path : Path
        The file; its folder is made where it is missing.
    tensors, metadata : Mapping
        What it shall hold.
    kind : str
        What the file is and the version of its layout, as in ``"spikemm-network/1"``; only that kind is read again.
    limit_bytes : int
        The same limit that reading has, so that nothing is written which cannot be read.

    Returns
    -------
    str
        SHA-256 of the contents in hexadecimal.

    Raises
    ------
    WeightsError
        If it would be too large, or cannot be written.
    """
    own = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    contents = {**metadata, _FORMAT: kind}
    digest = _digest(own, contents)
    data = save(own, {**contents, _DIGEST: digest})
    if len(data) > limit_bytes or _header_bytes(data) > _HEADER_BYTES:
        raise WeightsError(
            f"{path} would have {len(data)} bytes, more than could be read again: take a smaller network"
        )
    replace_file(path, data)
    return digest


def read_container(path: Path, *, kind: str, limit_bytes: int) -> Container:
    """Read a file that `write_container` wrote.

    Nothing in the file is run, and no more memory is taken than a few times its size, which is looked at first.

    Raises
    ------
    WeightsError
        If the file is missing, too large, damaged, or anything else than a file of that kind.
    """
    data = _read(path, limit_bytes)
    _check_header(path, data)
    try:
        tensors = load(data)
    except (SafetensorError, ValueError, LookupError, RuntimeError, TypeError, AssertionError) as error:
        raise WeightsError(f"{path} is damaged, its table does not fit its data ({error}): copy it again") from error
    metadata = _metadata(data)
    found = metadata.get(_FORMAT)
    if found != kind:
        raise WeightsError(f"{path} is a safetensors file of format {found!r}, not {kind!r}: take another file")
    stated = metadata.pop(_DIGEST, "")
    if _digest(tensors, metadata) != stated:
        raise WeightsError(f"{path} is damaged, its contents do not match their SHA-256: copy it again")
    return Container(tensors, {name: text for name, text in metadata.items() if name != _FORMAT}, stated)


def replace_file(path: Path, data: bytes) -> None:
    """Put a file in place whole, or leave what was there; its folder is made where it is missing.

    Raises
    ------
    WeightsError
        If the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as partial:
            partial.write_bytes(data)
    except OSError as error:
        raise WeightsError(f"{path} cannot be written ({error.strerror}): free space or take another folder") from error


def _read(path: Path, limit_bytes: int) -> bytes:
    if not path.is_file():
        raise WeightsError(f"{path} is not there, or is not a file: check the path")
    try:
        size = path.stat().st_size
        if size > limit_bytes:
            raise WeightsError(f"{path} has {size} bytes, the limit is {limit_bytes}: it is not a file of this program")
        with path.open("rb") as stream:
            return stream.read(size)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror}): check its permissions") from error


def _header_bytes(data: bytes) -> int:
    return int.from_bytes(data[:8], "little")


def _check_header(path: Path, data: bytes) -> None:
    """Refuse what is not safetensors by its first bytes, with the reason that helps most."""
    header = _header_bytes(data)
    if header <= _HEADER_BYTES and data[8:9] == b"{":
        if 8 + header > len(data):
            raise WeightsError(f"{path} is damaged, it ends inside its header: copy it again")
        return
    # Only now: a header of 640 bytes begins as a pickle does.
    if data.startswith(_PICKLES):
        raise WeightsError(
            f"{path} is a pickle or an archive, which could run code when opened: export its tensors to .safetensors"
        )
    raise WeightsError(f"{path} is not a safetensors file: take one that ends in .safetensors, or copy it again")


def _metadata(data: bytes) -> dict[str, str]:
    """Text of a header that the format's own reader has found valid."""
    return dict(json.loads(data[8 : 8 + _header_bytes(data)]).get("__metadata__") or {})


def _digest(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> str:
    digest = hashlib.sha256(json.dumps(dict(metadata), sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
