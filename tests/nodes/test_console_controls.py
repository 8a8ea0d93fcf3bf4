"""The console in a real Chromium: its controls, and the alarms."""

import pytest

from engine.clocks import WallClock
from engine.testing import make_node
from nodes.messages import Event
from nodes.web import Web


def alarm(state, severity="alarm", name="velocity"):
    text = f"tine: {name} {severity if state == 'raised' else 'cleared'}"
    details = {"state": state, "severity": severity, "region": "tine", "text": text}
    return Event(
        step=10_000, rate_hz=20000.0, name=name, details=details | {"value": 4.9, "limit": 4.5, "unit": "mm/s"}
    )


# Controls


@pytest.mark.parametrize(
    ("identity", "value", "event", "option"),
    [
        ("alpha-slider", 25, "input", "magnify.alpha"),
        ("alpha", 120, "change", "magnify.alpha"),
        ("method", "riesz", "change", "magnify.method"),
        ("scale-slider", 3, "input", "upsample.scale"),
        ("strobe", 497.5, "change", "encode.strobe_hz"),
        ("quality-slider", 60, "input", "web.quality"),
        ("pace-limit-slider", 20, "input", "web.max_fps"),
    ],
)
def test_a_control_sets_its_live_option(console, identity, value, event, option):
    console.change(identity, value, event)
    assert console.asked(*option.split(".")) == value


def test_the_band_is_changed_put_off_and_on(console):
    console.change("band-low", 250, "input")
    assert console.asked("magnify", "band_hz") == [250, 330]
    for on in (None, [250, 330]):
        console.pipeline.asked.clear()
        console.click("band-on")
        assert console.asked("magnify", "band_hz") == on


def test_a_slider_that_is_dragged_never_queues_changes(console):
    console.pipeline.asked.clear()
    console.page.evaluate(
        "(() => { const i = document.getElementById('alpha-slider'); for (let v = 1; v <= 40; v++) "
        "{ i.value = v; i.dispatchEvent(new Event('input')) } })()"
    )
    console.page.wait_for("document.getElementById('alpha').value === '40'")
    console.asked("magnify", "alpha", 40)
    assert len(console.pipeline.asked) <= 3


def test_a_refusal_is_shown_with_its_reason(console):
    console.pipeline.refuse = True
    console.change("alpha", 5000)
    console.page.wait_for("document.getElementById('refusal-text').innerText.includes('<= 1000.0 (got 5000)')")
    console.page.wait_for("document.getElementById('alpha').value !== '5000'")
    console.click("refusal-close")
    assert console.page.evaluate("document.getElementById('refusal').hidden")


def test_replay_controls_give_their_commands(console):
    for identity, command, arguments in (
        ("play", "pause", {}),
        ("step-on", "step", {"frames": 1}),
        ("step-back", "step", {"frames": -1}),
        ("play", "resume", {}),
        ("loop", "loop", {"on": True}),
    ):
        console.pipeline.asked.clear()
        console.click(identity)
        assert console.asked("replay", command) == arguments
        label = "Resume" if console.pipeline.replay["paused"] else "Pause"
        console.page.wait_for(f"document.getElementById('play').textContent === '{label}'")
    console.change("seek", 700)
    assert console.asked("replay", "seek") == {"step": 700}
    console.change("speed", 0.5)
    assert console.asked("replay", "speed") == {"value": 0.5}


def test_a_control_whose_node_is_not_there_is_not_shown(browser, bare_pipeline, monkeypatch):
    monkeypatch.setattr(Web, "_connect", lambda self: bare_pipeline)
    bare = make_node(Web, WallClock(), port=0, context={"control": "ipc://supervisor"})
    page = browser.open(bare.status()["url"])
    page.wait_for("document.getElementById('pipeline').innerText === 'bare'")
    for identity in ("replay", "record", "alarms", "regions", "alpha", "band-on", "method", "tool-region", "tool-map"):
        assert not page.evaluate(f"document.getElementById('{identity}').offsetParent !== null"), identity
    page.close()
    bare.close()


def test_the_button_saves_the_last_seconds_and_shows_the_file(console):
    console.pipeline.options["record"] = {"keep": {"before_s": 2.0, "after_s": 1.0}}
    console.page.wait_for("document.getElementById('save').innerText === 'Save the last 2.0 s and the next 1.0 s'")
    console.click("save")
    assert console.asked("record", "save")["seconds_after"] is None
    console.page.wait_for("document.getElementById('saved').innerText === 'saving to sessions/one …'")
    console.page.wait_for("document.getElementById('saved').innerText === 'saved: sessions/one'")


# Alarms


def test_a_raised_alarm_cannot_be_missed_and_is_acknowledged_with_a_button(console):
    console.node.process(alarm("raised"), "events")
    console.page.wait_for("document.title.startsWith('(1) ALARM')")
    assert "tine: velocity alarm" in console.text("#banner")
    banner = console.page.evaluate(
        "(() => { const r = document.getElementById('banner').getBoundingClientRect(); return [r.width, r.height] })()"
    )
    assert banner[0] == console.page.evaluate("document.documentElement.clientWidth")
    assert banner[1] >= 48
    console.click("banner-acknowledge")
    assert console.asked("alarm", "acknowledge") == {"rule": "velocity", "region": "tine"}
    console.page.wait_for("document.body.dataset.alarm === 'acknowledged'")
    assert "acknowledged" in console.text("#alarm-list .stands")
    assert console.page.evaluate("document.title").startswith("(1) ALARM")  # it stands until it clears


def test_the_list_survives_a_reload(console):
    lines = "document.querySelectorAll('#alarm-list li').length"
    there = console.page.evaluate(lines)
    for event in (alarm("raised"), alarm("cleared"), alarm("raised", "warning", "amplitude")):
        console.node.process(event, "events")
    console.page.wait_for(f"{lines} === {there + 3}")
    before = console.text("#alarm-list")
    # Not location.reload(), which leaves the old page answering for a while.
    console.page.call("Page.navigate", url=console.page.evaluate("location.href"))
    console.page.wait_for("document.body.dataset.alarm === 'warning' && document.querySelector('.region') !== null")
    assert console.text("#alarm-list") == before
    console.node.process(alarm("cleared", "warning", "amplitude"), "events")
    console.page.wait_for("document.getElementById('banner').hidden && !document.title.startsWith('(')")


def test_names_in_readings_and_events_are_text_and_no_markup(console):
    console.node.process(alarm("cleared", name="<img src=x onerror=alert(1)>"), "events")
    console.page.wait_for("document.getElementById('alarm-list').innerText.includes('<img src=x')")
    assert console.page.evaluate("document.querySelectorAll('#alarm-list img').length") == 0
