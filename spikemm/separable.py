"""Separable linear operators on frames, A·Y·Bᵀ, for matrices whose weight lies near the diagonal."""

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["BandedMatrix", "SeparableOperator"]


class BandedMatrix:
    """A tall or square matrix, kept as dense blocks along its diagonal.

    Entries below `tolerance` of the largest are left out; a block of rows shares one run of columns, so that
    applying it is a batched matrix product that does only the work near the diagonal.

    Parameters
    ----------
    matrix : numpy.ndarray
        (rows, columns) float64.
    device : str
        Where it is applied.
    tolerance : float
        Relative size of the entries that are left out.
    block : int
        Columns' worth of rows in one block.
    """

    def __init__(self, matrix: NDArray[np.float64], device: str, tolerance: float = 1e-5, block: int = 32) -> None:
        rows, columns = matrix.shape
        self.rows = rows
        count = max(1, round(columns / block))
        self._height = -(-rows // count)
        padded = np.zeros((count * self._height, columns))
        padded[:rows] = matrix
        blocks = padded.reshape(count, self._height, columns)
        used = (np.abs(blocks) > tolerance * np.abs(matrix).max()).any(axis=1)
        first = used.argmax(axis=1)
        width = int((columns - used[:, ::-1].argmax(axis=1) - first).max())
        first = np.minimum(first, columns - width)
        index = first[:, None] + np.arange(width)
        local = np.take_along_axis(blocks, index[:, None, :], axis=2)
        self._blocks = torch.from_numpy(local.astype(np.float32)).to(device)
        self._index = torch.from_numpy(index.reshape(-1)).to(device)

    def rows_of(self, frames: torch.Tensor) -> torch.Tensor:
        """Return matrix @ frame for (n, columns, W) `frames`: (n, rows, W)."""
        n, _, width = frames.shape
        runs = frames.index_select(1, self._index).view(n, len(self._blocks), -1, width)
        return torch.matmul(self._blocks, runs).reshape(n, -1, width)[:, : self.rows]

    def columns_of(self, frames: torch.Tensor) -> torch.Tensor:
        """Return frame @ matrixᵀ for (n, H, columns) `frames`: (n, H, rows)."""
        n, height, _ = frames.shape
        runs = frames.index_select(2, self._index).view(n, height, len(self._blocks), -1).transpose(1, 2)
        wide = torch.matmul(runs, self._blocks.transpose(1, 2)).transpose(1, 2)
        return wide.reshape(n, height, -1)[:, :, : self.rows]


class SeparableOperator:
    """Apply A to the columns and B to the rows of every frame: O = A·Y·Bᵀ."""

    def __init__(self, vertical: NDArray[np.float64], horizontal: NDArray[np.float64], device: str) -> None:
        self._vertical = BandedMatrix(vertical, device)
        self._horizontal = BandedMatrix(horizontal, device)

    def __call__(self, frames: torch.Tensor) -> torch.Tensor:
        """Map (n, H, W) float32 to (n, rows of A, rows of B)."""
        return self._horizontal.columns_of(self._vertical.rows_of(frames))
