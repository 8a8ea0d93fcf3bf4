#!/usr/bin/env bash
# All tests, in the project's own environment, which is made on first use. Arguments go to pytest:
#   bash tools/test.sh
#   bash tools/test.sh tests/spikemm -k interval
# Tests on real recordings need SPIKEMM_RECORDINGS to name their folder, and are skipped without it.

source "$(dirname "${BASH_SOURCE[0]}")/environment.sh" dev

# One thread a process: many processes at once are what the tests run, and spinning threads would starve each other.
export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 NUMBA_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE
exec python -m pytest --numprocesses 2 --dist loadfile "$@"
