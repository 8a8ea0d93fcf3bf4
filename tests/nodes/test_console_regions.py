"""The console in a real Chromium: regions drawn on the pictures, what is measured in them, and the pictures."""

import numpy as np
import pytest

from nodes.messages import Reading

TINE = [40, 10, 24, 16]
WIDTH, HEIGHT = 80, 50
SHIFT = 8


def region(name="tine", roi=TINE, **values):
    """A region that vibrates along x: 0.25 px at 310 Hz."""
    axis = {"rms_px": 0.177, "peak_to_peak_px": 0.5, "noise_floor_px": 0.004, "noise_density_px_per_sqrt_hz": 0.0002}
    peak = {"hz": 310.0, "px": 0.25, "snr_db": 45.0, "phase_deg": 0.0, "um": 5.0, "mm_s": 9.74}
    told = {"roi": roi, "seconds": 0.5, "fps": 1000.0, "method": "frames", "waveform_step": [0, 20]}
    told |= {
        "x": axis | {"peaks": [peak]},
        "y": axis | {"peaks": []},
        "phase_to": None,
        "zone": None,
        "um_per_px": None,
    }
    told["orbit"] = {"hz": 310.0, "major_px": 0.25, "minor_px": 0.0, "angle_deg": 0.0, "clockwise": True}
    moving = 0.25 * np.sin(2 * np.pi * 310 * np.arange(500) / 1000)
    hz = np.linspace(0, 500, 251)
    arrays = {
        "waveform": np.stack([moving, 0 * moving]).astype(np.float32),
        "spectrum": np.stack([0.25 * (hz == 310), 0 * hz]).astype(np.float32),
        "frequencies_hz": hz.astype(np.float32),
    }
    return Reading(step=10_000, rate_hz=20000.0, name=name, values=told | values, arrays=arrays)


def frequency_map():
    """Blocks of 10 px: one at 120 Hz on the left, one at 310 Hz on the right, nothing elsewhere."""
    grids = {name: np.zeros((5, 8), np.float32) for name in ("hz", "px", "floor_px")}
    grids["floor_px"][:] = 0.01
    grids["hz"][2, 1], grids["hz"][2, 6] = 120, 310
    grids["px"][2, 1], grids["px"][2, 6] = 0.1, 0.2
    values = {"block_px": 10, "seconds": 0.5, "fps": 1000.0, "origin": [10, 10]}
    return Reading(step=10_000, rate_hz=20000.0, name="map", topic="map", values=values, arrays=grids)


# Regions


def about(*values):
    return [pytest.approx(value, abs=1) for value in values]


def test_a_region_is_drawn_moved_resized_named_marked_and_deleted(console):
    def become(name, roi, *, housing=False):
        regions = {"tine": {"roi": TINE, "housing": False}, name: {"roi": roi, "housing": housing}}
        return console.asked("measure", "regions", regions)[name]["roi"]

    console.click("tool-region")
    console.drag((10, 20), (30, 44))
    x, y, width, height = become("R1", about(10, 20, 20, 24))  # in px of the sensor, whatever the picture's scale
    assert console.page.evaluate("document.body.dataset.tool") == ""
    console.drag((20, 30), (25, 26))
    x, y, width, height = become("R1", about(x + 5, y - 4, width, height))
    console.drag((x + width, y + height), (200, 200))
    roi = become("R1", [x, y, WIDTH - x, HEIGHT - y])
    console.change("name-of-2", "base")
    become("base", roi)
    console.page.evaluate("document.querySelectorAll('.card input[type=checkbox]')[1].click()")
    become("base", roi, housing=True)
    console.page.evaluate("document.querySelectorAll('.card .delete')[1].click()")
    console.asked("measure", "regions", {"tine": {"roi": TINE, "housing": False}})
    console.page.wait_for("document.querySelectorAll('.card').length === 1")


def test_a_region_is_drawn_moved_and_deleted_without_a_pointer(console):
    tine = {"roi": TINE, "housing": False}
    console.page.evaluate("document.querySelector('#pixels-overlay [data-region=tine]').focus()")
    console.click("tool-region")
    for key, held, roi in (
        ("ArrowDown", 0, [32, 20, 16, 10]),  # puts one into the middle
        ("ArrowRight", 0, [33, 20, 16, 10]),
        ("ArrowUp", SHIFT, [33, 20, 16, 9]),
    ):
        console.press(key, modifiers=held)
        console.asked("measure", "regions", {"tine": tine, "R1": {"roi": roi, "housing": False}})
        assert console.page.evaluate("document.activeElement.dataset.region") == "R1"
    console.press("Delete")
    console.asked("measure", "regions", {"tine": tine})
    console.page.wait_for("document.querySelector('[data-region=R1]') === null")


def test_a_region_that_is_refused_goes_away_again(console):
    console.pipeline.refuse = True
    console.click("tool-region")
    console.drag((10, 20), (30, 44))
    console.asked("measure", "regions")
    console.page.wait_for("document.querySelectorAll('#pixels-overlay .region').length === 1")
    console.page.wait_for("!document.getElementById('refusal').hidden")
    console.click("refusal-close")


# Readings


def test_a_card_shows_the_figures_with_the_noise_floor_beside_them(console):
    console.node.process(region(), "readings")
    console.page.wait_for("document.querySelector('.headline').innerText.includes('310.0 Hz')")
    assert "0.250 px" in console.text(".headline")
    cells = console.page.evaluate("[...document.querySelectorAll('.peaks tbody td')].map((cell) => cell.innerText)")
    assert cells == ["x", "310.00", "0.250", "0.0040", "45"]
    assert "0.177 / 0.177 px" in console.text(".sums")


def test_a_scale_adds_physical_units_and_a_housing_its_zone(console):
    console.node.process(region(um_per_px=20.0, velocity_rms_mm_s=4.2, zone="B"), "readings")
    console.page.wait_for("document.querySelector('.zone').innerText === 'Zone B'")
    cells = console.page.evaluate("[...document.querySelectorAll('.peaks tbody td')].map((cell) => cell.innerText)")
    assert cells == ["x", "310.00", "0.250", "0.0040", "5.00", "9.74", "45"]
    assert "4.20 mm/s" in console.text(".sums")


def test_a_still_region_claims_no_peak(console):
    still = region()
    still.values["x"] = still.values["x"] | {"peaks": []}
    console.node.process(still, "readings")
    console.page.wait_for("document.querySelector('.headline').innerText.includes('no peak above the noise floor')")


def test_plots_show_the_waveform_the_spectrum_with_its_floor_and_the_orbit(console):
    console.node.process(region(), "readings")
    console.page.wait_for("document.querySelector('.headline').innerText.includes('310.0 Hz')")
    reach = """(name, [r, g, b]) => { const c = document.querySelector('.plots .' + name); const w = c.width;
        const d = c.getContext('2d').getImageData(0, 0, w, c.height).data; const xs = [], ys = [];
        for (let i = 0; i < d.length; i += 4) if (Math.abs(d[i] - r) + Math.abs(d[i+1] - g) + Math.abs(d[i+2] - b) < 60)
            { xs.push(i / 4 % w); ys.push(Math.floor(i / 4 / w)); }
        const reach = (values, size) => [Math.min(...values) / size, Math.max(...values) / size];
        return xs.length ? [...reach(xs, w), ...reach(ys, c.height)] : null; }"""
    blue, amber, green = [92, 200, 255], [173, 122, 53], [61, 220, 151]
    left, right, top, bottom = console.page.evaluate(f"({reach})('waveform', {blue})")
    assert right - left > 0.6
    assert bottom - top > 0.5  # it sways over most of the height
    left, right, top, bottom = console.page.evaluate(f"({reach})('spectrum', {blue})")
    assert 0.3 < left < 0.6 < right < 0.8  # at 310 of 500 Hz
    assert bottom - top > 0.5
    left, right, top, bottom = console.page.evaluate(f"({reach})('spectrum', {amber})")  # the noise floor of y
    assert right - left > 0.6
    assert bottom - top < 0.05
    left, right, top, bottom = console.page.evaluate(f"({reach})('orbit', {green})")
    assert right - left > 0.4  # a straight line along x
    assert bottom - top < 0.1


def test_logarithmic_spectra_lift_the_noise_floor_off_the_ground(console):
    floor_at = """(() => { const c = document.querySelector('.plots .spectrum'); const w = c.width;
        const d = c.getContext('2d').getImageData(0, 0, w, c.height).data;
        for (let y = 0; y < c.height; y++) { let n = 0; for (let x = 0; x < w; x++) { const i = 4 * (y * w + x);
            if (Math.abs(d[i] - 173) + Math.abs(d[i+1] - 122) + Math.abs(d[i+2] - 53) < 60) n++; }
            if (n > w / 5) return y / c.height; } return null })()"""
    console.node.process(region(), "readings")
    console.page.wait_for("document.querySelector('.headline').innerText.includes('310.0 Hz')")
    linear = console.page.evaluate(floor_at)
    console.click("log")
    logarithmic = console.page.evaluate(floor_at)
    console.click("log")
    assert logarithmic < linear - 0.1


def test_the_map_colours_what_vibrates_by_its_frequency(console):
    console.click("tool-map")
    assert console.asked("measure", "map") == {}
    console.node.process(frequency_map(), "readings")
    console.page.wait_for("document.getElementById('map-high').value === '310.0 Hz'")
    assert console.page.evaluate("document.getElementById('map-low').value") == "120.0 Hz"
    read = "Array.from(document.querySelector('#pixels-overlay .map').getContext('2d').getImageData({}, {}, 1, 1).data)"
    slow, fast, still = (console.page.evaluate(read.format(x, 2)) for x in (1, 6, 4))
    assert slow[2] > slow[0] + 100  # blue
    assert fast[0] > fast[2] + 100  # red
    assert min(slow[3], fast[3]) > 100
    assert still[3] == 0
    style = "document.querySelector('#pixels-overlay .map').style"
    assert console.page.evaluate(f"[{style}.left, {style}.top, {style}.width, {style}.height]") == [
        "12.5%", "20%", "100%", "100%",
    ]  # fmt: skip
    console.click("tool-map")
    console.page.wait_for("document.querySelector('#pixels-overlay .map').hidden")
    console.asked("measure", "map", None)  # it was put on by the page, so it is put off by it


# Pictures


def test_a_drawn_line_shows_its_slice_over_time(console):
    console.click("tool-line")
    console.drag((24, 25), (56, 25))
    assert console.page.evaluate("document.getElementById('slice').hidden") is False
    start = console.page.evaluate("Number(document.body.dataset.pictures)")
    console.page.wait_for(f"document.body.dataset.pictures > {start + 30}")
    edges = """(name) => { const c = document.getElementById(name); const w = c.width, h = c.height;
        const d = c.getContext('2d').getImageData(w - 25, 0, 25, h).data; const found = [];
        for (let x = 0; x < 25; x++) { let y = 0; while (y < h && d[4 * (y * 25 + x)] < 128) y++; found.push(y / h) }
        return found }"""
    magnified, raw = (np.array(console.page.evaluate(f"({edges})('slice-{name}')")) for name in ("pixels", "raw"))
    assert raw == pytest.approx(0.5, abs=0.05)  # the edge at x = 40 is in the middle of 24 to 56
    assert magnified.min() < 0.3  # ±8 of 32 px
    assert magnified.max() > 0.7
    console.click("slice-close")
    assert console.page.evaluate("document.getElementById('slice').hidden") is True


def test_the_divider_wipes_one_picture_over_the_other(console):
    console.page.evaluate("document.querySelector('[data-view=wipe]').click()")
    assert (
        console.page.evaluate("getComputedStyle(document.querySelector('#raw-figure .frame')).clipPath")
        == "inset(0px 50% 0px 0px)"
    )
    console.drag((40, 30), (20, 30))
    assert console.page.evaluate(
        "parseFloat(document.getElementById('pictures').style.getPropertyValue('--wipe'))"
    ) == pytest.approx(25, abs=1)
    console.page.evaluate("document.getElementById('divider').focus()")
    console.press("ArrowRight")
    assert console.page.evaluate(
        "Number(document.getElementById('divider').getAttribute('aria-valuenow'))"
    ) == pytest.approx(27, abs=1)
    console.page.evaluate("document.querySelector('[data-view=alone]').click()")
    assert console.page.evaluate("document.getElementById('raw-figure').hidden") is True
    console.page.evaluate("document.querySelector('[data-view=pair]').click()")


def test_a_finger_draws_on_a_phone(browser, console):
    page = browser.open(console.node.status()["url"], 390, 844, mobile=True)
    phone = console.on(page)
    page.call("Emulation.setTouchEmulationEnabled", enabled=True)
    page.wait_for("document.body.dataset.pictures > 2 && document.querySelector('.region') !== null")
    phone.click("tool-region")
    for kind, spot in (("touchStart", (4, 6)), ("touchMove", (12, 20)), ("touchMove", (24, 36)), ("touchEnd", None)):
        page.call("Input.dispatchTouchEvent", type=kind, touchPoints=[phone.place(*spot)] if spot else [])
    assert console.asked("measure", "regions")["R1"]["roi"] == about(4, 6, 20, 30)
    page.wait_for("document.querySelector('#pixels-overlay [data-region=R1]') !== null")
    page.evaluate("document.querySelector('#pixels-overlay [data-region=R1]').focus()")
    phone.press("Delete")
    page.wait_for("document.querySelector('[data-region=R1]') === null")
    page.close()
