"""What is normal: learned robustly, and kept in a file that is never half written."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from spikemm.exceptions import OptionError
from spikemm.whole_file import whole_file

__all__ = ["Baseline", "Learner", "load_baselines", "save_baselines"]

_FORMAT = "spikemm-baselines-1"
_MOST_SAMPLES = 4096
_FEWEST_SAMPLES = 8
_NORMAL = 1.4826  # spread of a normal distribution in units of its median absolute deviation
_LARGEST_FILE_BYTES = 16 << 20


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What a rule has learned of a region.

    Attributes
    ----------
    mean, spread : float
        Median, and 1.4826 times the median absolute deviation from it: the mean and standard deviation of normal values
        of which a few may be outliers. The spread is at least the error of one value.
    values : int
        How many readings it was learned from.
    learned_at : float
        Wall time of the end of learning, in seconds since 1970.
    of : str
        What was learned, see `Rule.fingerprint`.
    """

    mean: float
    spread: float
    values: int
    learned_at: float
    of: str


class Learner:
    """Collects values for a stated time, in bounded memory: when it is full, every second one is let go.

    Parameters
    ----------
    learn_s : float
        Seconds to learn for, at least; no fewer than 8 values either.
    """

    def __init__(self, learn_s: float) -> None:
        self._learn_s = learn_s
        self._start_s: float | None = None
        self._values: list[float] = []
        self._errors: list[float] = []
        self._stride = 1
        self._seen = 0
        self.progress = 0.0

    def push(self, seconds: float, value: float, error: float) -> bool:
        """Take a value and its standard error; return True when enough is known."""
        self._start_s = seconds if self._start_s is None else self._start_s
        if self._seen % self._stride == 0:
            self._values.append(value)
            self._errors.append(error)
        self._seen += 1
        if len(self._values) == _MOST_SAMPLES:
            self._values, self._errors, self._stride = self._values[::2], self._errors[::2], self._stride * 2
        passed_s = seconds - self._start_s
        in_time = passed_s / self._learn_s if self._learn_s > 0 else 1.0
        self.progress = min(1.0, in_time, self._seen / _FEWEST_SAMPLES)
        return self.progress >= 1.0

    def result(self, of: str, wall_s: float) -> Baseline:
        """Return what was learned."""
        values = np.array(self._values)
        mean = float(np.median(values))
        spread = max(_NORMAL * float(np.median(np.abs(values - mean))), float(np.median(self._errors)))
        return Baseline(mean=mean, spread=spread, values=self._seen, learned_at=wall_s, of=of)


def save_baselines(path: str | Path, baselines: Mapping[tuple[str, str], Baseline]) -> None:
    """Write the baselines of all rules and regions; whoever reads finds the old file or the whole new one.

    Parameters
    ----------
    path : path
        A JSON file.
    baselines : mapping of (rule, region) to Baseline
        What to write.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    rows = [{"rule": rule, "region": region, **asdict(known)} for (rule, region), known in sorted(baselines.items())]
    with whole_file(path) as partial:
        text = json.dumps({"format": _FORMAT, "baselines": rows}, indent=1, allow_nan=False)
        partial.write_text(text + "\n", encoding="utf-8")


def load_baselines(path: str | Path) -> dict[tuple[str, str], Baseline]:
    """Read what `save_baselines` has written; nothing where there is no file yet.

    Raises
    ------
    OptionError
        If the file is damaged or another's: what is wrong now must not be learned as normal in its place.
    """
    file = Path(path)
    try:
        if not file.exists():
            return {}
        if file.stat().st_size > _LARGEST_FILE_BYTES:
            raise ValueError(f"more than {_LARGEST_FILE_BYTES} bytes")  # noqa: TRY301
        document = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(document, dict) or document.get("format") != _FORMAT:
            raise ValueError(f"its format is not {_FORMAT}")  # noqa: TRY301
        return {(str(row.pop("rule")), str(row.pop("region"))): _baseline(row) for row in document["baselines"]}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise OptionError(
            f"baseline {path}: cannot be used ({error}); bring it back from a copy, or remove it to learn anew while "
            "all is well"
        ) from None


def _baseline(row: Mapping[str, object]) -> Baseline:
    known = Baseline(**row)  # type: ignore[arg-type]
    numbers = (known.mean, known.spread, known.learned_at)
    if not isinstance(known.of, str) or not all(isinstance(n, int | float) and math.isfinite(n) for n in numbers):
        raise ValueError(f"{dict(row)} is no baseline")
    return known
