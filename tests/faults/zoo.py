"""Nodes that behave, and nodes that do not, for tests of the runtime: a plug-in file like any user's."""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np

from engine import Live, Message, Policy, Sink, Source, Stage, Wait, array


@dataclass(kw_only=True, eq=False)
class Numbers(Message, kind="zoo.numbers"):
    values: Any = array()


class Counter(Source):
    """Sends `count` messages of `size` values each, as fast as it can or `every_s` seconds."""

    class Options(msgspec.Struct, forbid_unknown_fields=True):
        count: int = 100
        size: int = 10
        every_s: float = 0.0

    emits = Numbers

    def setup(self) -> None:
        self.number = (self.context.resume_step + 1) if self.context.resume_step is not None else 0
        self.start: float | None = None
        self.paused = False

    def produce(self) -> Message | Wait | None:
        if self.start is None:  # not in setup: the others may take longer to get ready
            self.start = self.context.clock.now() - self.number * self.options.every_s
        if self.number >= self.options.count:
            return None
        due = self.start + self.number * self.options.every_s
        if self.paused or self.context.clock.now() < due:
            return Wait(self.context.clock.now() + 1.0 if self.paused else due)
        self.number += 1
        values = np.full(self.options.size, self.number - 1, np.int64)
        return Numbers(step=self.number - 1, rate_hz=1.0 / (self.options.every_s or 0.001), values=values)

    def command(self, name: str, arguments: dict[str, Any]) -> Any:
        if name == "seek":
            self.number = int(arguments["step"])
            self.start = None
            self.context.new_epoch(flush=True)
            return self.number
        self.paused = name == "pause"
        return self.paused

    def status(self) -> dict[str, Any]:
        return {"number": self.number}


class LiveCounter(Counter):
    """The same, waiting for nobody."""

    live = True


class Gain(Stage):
    """Multiplies."""

    class Options(msgspec.Struct, forbid_unknown_fields=True):
        factor: Annotated[int, msgspec.Meta(ge=0), Live] = 1
        delay_s: float = 0.0

    accepts = Numbers
    emits = Numbers

    def process(self, message: Numbers, port: str) -> Iterable[Message]:
        time.sleep(self.options.delay_s)
        values = np.asarray(message.values) * self.options.factor
        yield Numbers(step=message.step, count=message.count, gap=message.gap, values=values)


class Faulty(Gain):
    """Fails in a chosen way at a chosen number, in its first life only unless `always`."""

    class Options(Gain.Options):
        at: int = 10
        how: str = "exception"
        always: bool = False

    def process(self, message: Numbers, port: str) -> Iterable[Message]:
        if int(message.values[0]) >= self.options.at and (self.options.always or self.context.incarnation == 0):
            match self.options.how:
                case "exception":
                    raise ValueError("the zoo's own fault")
                case "exit":
                    os._exit(7)
                case "hang":
                    time.sleep(3600)
        yield from super().process(message, port)

    def command(self, name: str, arguments: dict[str, Any]) -> Any:
        if name == "die":
            os._exit(7)
        return super().command(name, arguments)


class Writer(Sink):
    """Appends the first value of every message, and its gap, to a text file."""

    class Options(msgspec.Struct, forbid_unknown_fields=True):
        path: str
        delay_s: float = 0.0

    accepts = Numbers
    policy = None

    def setup(self) -> None:
        self.file = Path(self.options.path).open("a", encoding="utf-8")  # noqa: SIM115

    def process(self, message: Numbers, port: str) -> None:
        time.sleep(self.options.delay_s)
        self.file.write(f"{message.values[0]} {message.gap} {message.epoch} {message.revision}\n")
        self.file.flush()

    def close(self) -> None:
        self.file.close()


class Display(Writer):
    """A sink that shows the newest only."""

    policy = Policy("latest", depth=1)


class Pairs(Stage):
    """Holds messages back and passes on the first of every three; the flush lets the rest go."""

    accepts = Numbers
    emits = Numbers

    def setup(self) -> None:
        self.held: list[Numbers] = []

    def process(self, message: Numbers, port: str) -> Iterable[Message]:
        self.held.append(message)
        return self.flush() if len(self.held) == 3 else []

    def flush(self) -> Iterable[Message]:
        first, held = self.held[:1], len(self.held)
        self.held = []
        return [Numbers(step=first[0].step, count=held, values=first[0].values)] if first else []


class Mixer(Stage):
    """Takes numbers on two ports, either of which may be left open; those of `b` come out negative."""

    accepts = {"a": Numbers, "b": Numbers}  # noqa: RUF012
    optional_ports = frozenset(accepts)
    emits = Numbers
    policy = {"a": Policy("block"), "b": Policy("latest", depth=1)}  # noqa: RUF012

    def process(self, message: Numbers, port: str) -> Iterable[Message]:
        sign = {"a": 1, "b": -1}[port]
        self.context.counters["half"] = message.values[0] / 2  # not what a counter should hold
        yield Numbers(step=message.step, gap=message.gap, values=sign * np.asarray(message.values))


class BrokenCounter(Counter):
    """Fails at its sixth message in every life."""

    def produce(self) -> Message | Wait | None:
        if self.number % 6 == 5:
            raise ValueError("the zoo's own fault")
        return super().produce()


class BrokenWriter(Writer):
    """Fails at its first message."""

    def process(self, message: Numbers, port: str) -> None:
        raise ValueError("the zoo's own fault")


class StickyWriter(Writer):
    """Cannot be closed."""

    def close(self) -> None:
        super().close()
        raise OSError("the disk is full")


class FullDisk(Exception):
    """Nothing that a restart could cure."""


class PickyWriter(Writer):
    """Tells the user what is wrong, at once."""

    user_errors = (FullDisk,)

    def setup(self) -> None:
        super().setup()
        raise FullDisk("the disk is full; choose another")


class PickyGain(Gain):
    """Tells the user what is wrong, at once or at its first message, and has nothing to close then."""

    class Options(Gain.Options):
        at_once: bool = True

    user_errors = (FullDisk,)

    def setup(self) -> None:
        if self.options.at_once:
            self.process(None, "")
        self.opened = [1]

    def process(self, message: Numbers | None, port: str) -> Iterable[Message]:
        raise FullDisk("region [9, 9] is outside the picture; move it")

    def close(self) -> None:
        self.opened.clear()


class Sleeper(Gain):
    """Never gets ready."""

    def setup(self) -> None:
        time.sleep(3600)


class SlowStarter(Gain):
    """Is ready when a file appears."""

    class Options(Gain.Options):
        gate: str = ""

    def setup(self) -> None:
        gate = Path(self.options.gate)
        gate.with_suffix(".reached").touch()
        while not gate.exists():
            time.sleep(0.01)


class DyingCounter(Counter):
    """Dies when its stream is to end."""

    def close(self) -> None:
        os._exit(7)


class DyingFlush(Gain):
    """Dies in its first life when its stream has ended."""

    def flush(self) -> Iterable[Message]:
        if self.context.incarnation == 0:
            os._exit(7)
        return []


class FillingWriter(Writer):
    """Meets, at a number, what no restart can cure."""

    class Options(Writer.Options):
        at: int = 10

    user_errors = (FullDisk,)

    def process(self, message: Numbers, port: str) -> None:
        if int(message.values[0]) >= self.options.at:
            raise FullDisk("no space left on device")
        super().process(message, port)
