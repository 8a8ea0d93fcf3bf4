"""The console on a running pipeline: real nodes in real processes, real readings and alarms, a real Chromium."""

import json
import subprocess
import sys
import time

import pytest
import yaml

HOP, RATE_HZ = 10, 10_000
RIG = {
    "replay": {"path": "fork.dat", "speed": 0.02, "loop": True},
    "encode": {"inputs": "replay", "hop": HOP},
    "reconstruct": {"inputs": "encode", "window": 16},
    "magnify": {"inputs": "reconstruct", "alpha": 10, "band_hz": [210, 410]},
    "upsample": {"inputs": "magnify", "scale": 2},
    "measure": {"inputs": "reconstruct", "seconds": 0.1, "every_s": 0.01, "map": {"seconds": 0.1}},
    "alarm": {"inputs": "measure", "rules": {"shaking": {"quantity": "amplitude", "alarm": 0.1}}},
    "record": {"inputs": {"spikes": "replay"}, "path": "sessions", "keep": {"before_s": 0.02, "after_s": 0.01}},
    "web": {"inputs": {"frames": "upsample", "readings": "measure", "events": "alarm"}, "port": 0},
}
CHAIN = ["reconstruct", "magnify", "upsample"]
LATEST_S = 0.5
CHANGE = """(id, value, event) => { const i = document.getElementById(id); i.value = value;
    i.dispatchEvent(new Event(event, {bubbles: true})) }"""
SECONDS_UNTIL_DRAWN = """(change, id, value, event, sought) => new Promise((resolve) => {
    const start = performance.now();
    change(id, value, event);
    (function look() {
        const shown = ['pixels-name', 'notes'].map((part) => document.getElementById(part).innerText).join(' ');
        const seconds = (performance.now() - start) / 1000;
        if (shown.includes(sought) || seconds > 10) resolve(seconds); else requestAnimationFrame(look);
    })();
})"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from tools.simulate import simulate

    made = tmp_path_factory.mktemp("rig")
    simulate("tuning-fork", made / "fork.dat", seconds=0.4, frequency=310.0, height=96, width=128, rate=RATE_HZ)
    (made / "rig.yaml").write_text(yaml.safe_dump({"name": "console-rig", "nodes": RIG, "chain": CHAIN}))
    return made


@pytest.fixture(scope="module")
def url(folder):
    command = [sys.executable, "-m", "tools.cli", "run", "rig.yaml", "--summary", "summary.json"]
    run = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = []
    for line in run.stdout:
        lines.append(line)
        if "http://" in line:
            break
    else:
        pytest.fail("".join(lines))
    yield line[line.index("http://") :].strip()
    run.terminate()
    run.communicate(timeout=60)


@pytest.fixture(scope="module")
def page(browser, url):
    opened = browser.open(url, 1600, 1100)
    opened.wait_for("document.body.dataset.pictures > 10 && !document.getElementById('replay').hidden", 60)
    yield opened
    opened.close()


def value(page, identity):
    return page.evaluate(
        f"(() => {{ const e = document.getElementById('{identity}'); return e.value ?? e.innerText }})()"
    )


def change(page, identity, new, event="change"):
    page.evaluate(f"({CHANGE})('{identity}', '{new}', '{event}')")


def click(page, identity):
    page.evaluate(f"document.getElementById('{identity}').click()")


def seconds_until_drawn(page, identity, new, event, sought):
    return page.evaluate(f"({SECONDS_UNTIL_DRAWN})({CHANGE}, '{identity}', '{new}', '{event}', '{sought}')")


def shown_step(page):
    return int(value(page, "step").replace("\u202f", ""))


def wait_until(page, holds, limit_s=20.0):
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end, page.text()
        page.evaluate("new Promise((resolve) => setTimeout(resolve, 20))")


def drag(page, start, end):
    """Drag the mouse over the magnified picture, from and to px of the sensor."""
    left, top, per_px = page.evaluate(
        "(() => { const r = document.getElementById('pixels-overlay').getBoundingClientRect(); "
        "return [r.left, r.top, r.width / 128] })()"
    )
    for kind, (x, y) in zip(("mousePressed", "mouseMoved", "mouseReleased"), (start, end, end), strict=True):
        spot = {"x": left + x * per_px, "y": top + y * per_px}
        page.call("Input.dispatchMouseEvent", type=kind, button="left", buttons=1, clickCount=1, **spot)


def test_a_change_of_alpha_or_band_shows_within_half_a_second(page):
    delays = []
    for number in range(5):
        delays.append(seconds_until_drawn(page, "alpha-slider", 20 + number, "input", f"×{20 + number}"))
        delays.append(seconds_until_drawn(page, "band-low", 220 + number, "input", f"{220 + number}–410 Hz"))
    assert sorted(delays)[len(delays) // 2] < LATEST_S, delays


def test_the_band_is_put_off_and_on(page):
    click(page, "band-on")
    page.wait_for("document.getElementById('notes').innerText.startsWith('all motion')")
    click(page, "band-on")
    page.wait_for("document.getElementById('notes').innerText.startsWith('224–410 Hz')")


def test_the_method_changes_while_it_runs(page):
    change(page, "method", "linear")
    page.wait_for("document.getElementById('notes').innerText.includes('linear')")
    change(page, "method", "warp")
    page.wait_for("document.getElementById('notes').innerText.includes('warp')")


def test_the_scale_changes_the_pictures_while_they_run(page):
    change(page, "scale-slider", 3, "input")
    page.wait_for("document.getElementById('pixels').width === 384 && document.getElementById('raw').height === 288")
    change(page, "scale", 1)
    page.wait_for("document.getElementById('pixels').width === 128")


def test_what_cannot_be_is_refused_with_its_reason(page):
    change(page, "band-high", 900, "input")  # 1,000 frames a second show up to 500 Hz
    page.wait_for("!document.getElementById('refusal').hidden")
    assert "500 Hz" in value(page, "refusal-text")
    page.wait_for("document.getElementById('band-high').value === '410'")
    click(page, "refusal-close")


def test_a_drawn_region_is_measured_and_its_alarm_raised(page, folder):
    x, y, width, height = json.loads((folder / "fork.truth.json").read_text())["motions"][0]["region"]
    click(page, "tool-region")
    drag(page, (x - 4, y - 1), (x + width + 4, y + height))
    page.wait_for("document.querySelector('.headline').innerText.includes('310')", 40)
    hz, px, floor = page.evaluate(
        "[1, 2, 3].map((cell) => Number(document.querySelector('.peaks tbody tr').cells[cell].innerText))"
    )
    assert hz == pytest.approx(310, abs=1)
    assert px == pytest.approx(0.3, rel=0.15)
    assert 0 < floor < px / 5
    page.wait_for("document.title.startsWith('(1) ALARM')")
    click(page, "banner-acknowledge")
    page.wait_for("document.body.dataset.alarm === 'acknowledged'")


def test_the_map_lies_over_the_picture(page):
    click(page, "tool-map")
    page.wait_for("document.getElementById('map-high').value.includes('Hz')", 40)
    click(page, "tool-map")
    page.wait_for("document.querySelector('#pixels-overlay .map').hidden")


def test_the_last_seconds_are_saved(page, folder):
    click(page, "save")
    page.wait_for("document.getElementById('saved').innerText.startsWith('saved: ')")
    session = folder / value(page, "saved").removeprefix("saved: ")
    assert session.is_dir()
    wait_until(page, lambda: list(session.glob("spikes-*.dat")))


def test_the_replay_stands_steps_on_and_back_seeks_and_goes_on(page):
    click(page, "play")
    page.wait_for("document.getElementById('play').innerText === 'Resume'")
    page.wait_for("document.body.dataset.state === 'paused'")
    for identity, frames in (("step-on", 1), ("step-on", 1), ("step-back", -1), ("step-back", -1), ("step-on", 1)):
        expected = shown_step(page) + frames * HOP
        click(page, identity)
        wait_until(page, lambda expected=expected: shown_step(page) == expected)
    change(page, "seek", 2000)
    wait_until(page, lambda: 1990 <= shown_step(page) <= 2060)
    change(page, "speed", 0.01)
    click(page, "play")
    page.wait_for("document.body.dataset.state === 'live'")
    click(page, "loop")
    page.wait_for("!document.getElementById('loop').checked")
    click(page, "loop")


def test_the_link_table_tells_of_every_link(page):
    rows = page.evaluate("[...document.querySelectorAll('#links tbody tr')].map((row) => row.cells[0].innerText)")
    for link in ("replay → encode", "measure → web", "alarm → web", "replay → record"):
        assert link in rows
