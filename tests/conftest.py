"""Fixtures of more than one room: real recordings, parts of simulated scenes, a browser driven by its own protocol."""

import asyncio
import base64
import itertools
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from spikemm.simulator import Scene, make_scene

_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--no-first-run",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-extensions",
    "--disable-dev-shm-usage",
    "--disable-component-update",
    "--disable-background-networking",
    "--remote-debugging-port=0",
]
_START_S = 60.0
_ANSWER_S = 60.0


@pytest.fixture(scope="session")
def recordings() -> Path:
    """Folder of the real recordings; without it, what needs them skips."""
    folder = os.environ.get("SPIKEMM_RECORDINGS")
    if not folder:
        pytest.skip("SPIKEMM_RECORDINGS is not set: no real recordings to test on")
    return Path(folder)


@pytest.fixture(scope="session")
def oh2018_release() -> Path:
    """Weights that Oh et al. released, with an input and output pair; without them, what needs them skips."""
    recordings = os.environ.get("SPIKEMM_RECORDINGS")
    beside = str(Path(recordings).parent / "weights") if recordings else ""
    path = Path(os.environ.get("SPIKEMM_WEIGHTS") or beside or "weights") / "oh2018_official.npz"
    if not path.is_file():
        pytest.skip("oh2018_official.npz is not in SPIKEMM_WEIGHTS, nor in weights beside SPIKEMM_RECORDINGS")
    return path


@dataclass(frozen=True)
class _Moved:
    """What paints a scene, its origin moved to the right and down."""

    paint: Callable[..., Any]
    left: float
    top: float

    def __call__(self, x: Any, y: Any, move_px: float, sway_px: float) -> Any:
        return self.paint(x + self.left, y + self.top, move_px, sway_px)


@pytest.fixture(scope="session")
def part() -> Callable[..., Scene]:
    """Make a scene of which a camera sees only the x, y, width, height given, in px of 400×250.

    It is as sharp as the whole, and much sooner painted than the whole made smaller.
    """

    def make(name: str, region: tuple[int, int, int, int], **options: Any) -> Scene:
        whole, (left, top, width, height) = make_scene(name, **options), region
        motions = []
        for motion in whole.motions:
            x, y, wide, high = motion.region
            if left <= x <= left + width - wide and top <= y <= top + height - high:
                motions.append(replace(motion, region=(x - left, y - top, wide, high)))
        paint, canvas = _Moved(whole.paint, left, top), (float(width), float(height))
        return replace(whole, height=height, width=width, canvas=canvas, motions=tuple(motions), paint=paint)

    return make


class Page:
    """One open tab."""

    def __init__(self, browser: "Browser", session: str) -> None:
        self._browser = browser
        self._session = session

    def evaluate(self, expression: str) -> Any:
        """Value of a JavaScript expression; a promise is awaited."""
        answer = self._browser.call(
            "Runtime.evaluate", self._session, expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            raise AssertionError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait_for(self, expression: str, timeout_s: float = 20.0) -> Any:
        """Wait until a JavaScript expression is truthy; return its value."""
        value = self.evaluate(
            f"""new Promise((resolve) => {{
                const end = performance.now() + {1000 * timeout_s};
                (function look() {{
                    let value = null;
                    try {{ value = {expression}; }} catch {{ /* not there yet */ }}
                    if (value || performance.now() > end) resolve(value); else setTimeout(look, 20);
                }})();
            }})"""
        )
        assert value, f"not within {timeout_s} s: {expression}; the page shows: {self.text()}"
        return value

    def text(self) -> str:
        """All text that the page shows."""
        return str(self.evaluate("document.body.innerText"))

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the DevTools protocol on this tab."""
        return self._browser.call(method, self._session, **parameters)

    def screenshot(self, path: Path) -> None:
        """Save what the page shows as a PNG."""
        answer = self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(answer["data"]))

    def close(self) -> None:
        """Close the tab."""
        self._browser.call("Page.close", self._session)


class Browser:
    """A running Chromium with a profile of its own."""

    def __init__(self, executable: str, profile: Path) -> None:
        self._process = subprocess.Popen(
            [executable, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        try:
            self._run(self._connect(self._endpoint(profile / "DevToolsActivePort")))
        except BaseException:
            self._end()
            raise

    def open(self, url: str, width: int = 1440, height: int = 900, *, mobile: bool = False) -> Page:
        """Open a tab of the given size on an address."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
        self.call("Emulation.setDeviceMetricsOverride", session, **size)
        self.call("Page.navigate", session, url=url)
        return Page(self, session)

    def call(self, method: str, session: str | None = None, /, **parameters: Any) -> dict[str, Any]:
        """Call a method of the DevTools protocol."""
        return self._run(self._call(method, session, parameters))

    def close(self) -> None:
        """End the browser."""
        self._run(self._disconnect())
        self._end()

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_ANSWER_S)

    def _endpoint(self, announced: Path) -> str:
        """Address that Chromium writes into its profile once it listens."""
        end = time.monotonic() + _START_S
        pause = threading.Event()
        while time.monotonic() < end:
            lines = announced.read_text().split() if announced.exists() else []
            if len(lines) == 2:
                return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
            assert self._process.poll() is None, f"chromium ended with status {self._process.returncode}"
            pause.wait(0.02)
        raise AssertionError(f"chromium did not start within {_START_S} s")

    async def _connect(self, endpoint: str) -> None:
        self._http = aiohttp.ClientSession()
        self._socket = await self._http.ws_connect(endpoint, max_msg_size=0)
        self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for message in self._socket:
            answer = message.json()
            waiting = self._answers.pop(answer.get("id"), None)
            if waiting is not None and not waiting.done():
                waiting.set_result(answer)

    async def _call(self, method: str, session: str | None, parameters: dict[str, Any]) -> dict[str, Any]:
        number = next(self._numbers)
        answer: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        self._answers[number] = answer
        request = {"id": number, "method": method, "params": parameters}
        await self._socket.send_json(request | ({"sessionId": session} if session else {}))
        reply = await asyncio.wait_for(answer, _ANSWER_S)
        assert "error" not in reply, f"{method}: {reply['error']}"
        return reply["result"]

    async def _disconnect(self) -> None:
        await self._socket.send_json({"id": next(self._numbers), "method": "Browser.close"})
        await self._listening
        await self._socket.close()
        await self._http.close()

    def _end(self) -> None:
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A headless Chromium; tests that need it skip where there is none."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("no chromium is installed: the page cannot be looked at")
    running = Browser(executable, tmp_path_factory.mktemp("chromium"))
    yield running
    running.close()
