"""Fixtures that more than one room uses."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def recordings() -> Path:
    folder = os.environ.get("SPIKEMM_RECORDINGS")
    if not folder:
        pytest.skip("SPIKEMM_RECORDINGS is not set: no real recordings to test on")
    return Path(folder)
