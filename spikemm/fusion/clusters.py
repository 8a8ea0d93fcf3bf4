"""K-means of one number per pixel, exact, on a histogram."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from spikemm.exceptions import OptionError

__all__ = ["Clusters", "cluster"]

_BINS = 256


class Clusters(NamedTuple):
    """Clusters of a line of numbers, lowest first."""

    centres: NDArray[np.float64]
    """(K,) their means."""
    borders: NDArray[np.float64]
    """(K − 1,) values halfway between neighbouring centres."""


def cluster(values: torch.Tensor, count: int) -> Clusters:
    """Split numbers into `count` clusters of least squared distance from their means.

    On a line the clusters are intervals, so the best split of a histogram is found by dynamic programming: there is no
    start to choose and no local optimum, and the same numbers always give the same clusters. The result is that of
    K-means to within a bin, 1/256 of the range.

    Parameters
    ----------
    values : torch.Tensor
        Finite numbers of any shape and device; only their histogram leaves the device.
    count : int
        Clusters, 2 to 16. Where there are fewer different numbers, the last clusters repeat the highest centre.

    Raises
    ------
    OptionError
        If `count` is out of range.

    Notes
    -----
    Wang and Song, "Ckmeans.1d.dp: optimal k-means clustering in one dimension by dynamic programming" (2011).
    """
    if not 2 <= count <= 16:
        raise OptionError(f"{count} clusters: take 2 to 16")
    low, high = (float(bound) for bound in torch.aminmax(values))
    width = max(high - low, 1e-12) / _BINS
    weights = torch.histc(values, _BINS, low, low + _BINS * width).cpu().numpy().astype(np.float64)
    positions: NDArray[np.float64] = low + (np.arange(_BINS, dtype=np.float64) + 0.5) * width
    filled = weights > 0
    centres = _split(positions[filled], weights[filled], count)
    return Clusters(centres, 0.5 * (centres[1:] + centres[:-1]))


def _split(x: NDArray[np.float64], weights: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return the means of the best `count` intervals of sorted, weighted points."""
    n = np.concatenate(([0.0], np.cumsum(weights)))
    s = np.concatenate(([0.0], np.cumsum(weights * x)))
    ss = np.concatenate(([0.0], np.cumsum(weights * x * x)))
    inside = _scatter(n, s, ss)
    least, starts = inside[0], []
    for _ in range(count - 1):
        through = least[:, None] + inside
        starts.append(through.argmin(axis=0))
        least = through.min(axis=0)
    edges = [len(x)]
    for start in reversed(starts):
        edges.append(int(start[edges[-1]]))
    bounds = np.array([0, *edges[::-1]])
    amounts = np.diff(n[bounds])
    means = np.diff(s[bounds])[amounts > 0] / amounts[amounts > 0]
    return np.pad(means, (0, count - len(means)), mode="edge")


def _scatter(n: NDArray[np.float64], s: NDArray[np.float64], ss: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared distances from the mean of the points i … j − 1, for every i (rows) and j (columns); ∞ below i."""
    amount, total, square = (cumulated[None, :] - cumulated[:, None] for cumulated in (n, s, ss))
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = np.where(amount > 0, square - total**2 / amount, 0.0)
    return np.where(amount < 0, np.inf, np.maximum(inside, 0.0))
