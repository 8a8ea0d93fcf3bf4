"""Run one pipeline under a supervisor in this process; the summary goes to standard output as JSON."""

import json
import signal
import sys
from pathlib import Path

from engine.pipeline import parse_pipeline
from engine.supervisor import Supervisor

if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):  # the supervisor counts them; after it, the summary must get out
        signal.signal(number, signal.SIG_IGN)
    told = json.loads(sys.argv[1])
    pipeline = parse_pipeline(told["document"], folder=Path(told["folder"]), name="zoo")
    summary = Supervisor(pipeline, told["host"], on_event=lambda event: print(*event, file=sys.stderr)).run()  # noqa: T201
    json.dump(summary, sys.stdout)
    raise SystemExit(summary["exit_status"])
