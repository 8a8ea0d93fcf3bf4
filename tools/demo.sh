#!/usr/bin/env bash
# The demo, from nothing: makes the environment and a recording on first use, then magnifies it live.
#
#   bash tools/demo.sh [--headless] [--seconds N] [--set NODE.OPTION=VALUE …]
#
#   --headless    open no browser; the page is served all the same, and its URL printed
#   --seconds N   end after N seconds; without it, Ctrl-C ends the demo
#   anything else goes to `spikemm run configs/demo.yaml`
#
# The recording is a simulated tuning fork: 0.3 px of vibration at 310 Hz, played 200 times slower than it happened.

if [ "${1:-}" = --help ] || [ "${1:-}" = -h ]; then
    sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit 0
fi

source "$(dirname "${BASH_SOURCE[0]}")/environment.sh" base

OPTIONS=(--open)
for argument in "$@"; do
    shift
    if [ "$argument" = --headless ]; then OPTIONS=(); else set -- "$@" "$argument"; fi
done

# The recording takes its name only when it is whole, so one that was interrupted is made again.
RECORDING=runs/tuning-fork
if [ ! -e "$RECORDING.dat" ]; then
    mkdir -p runs
    echo "simulating the tuning fork into $RECORDING.dat …"
    spikemm simulate tuning-fork "$RECORDING.dat" --seconds 0.3 --frequency 310 --amplitude 0.3
fi

exec spikemm run configs/demo.yaml "${OPTIONS[@]}" "$@"
