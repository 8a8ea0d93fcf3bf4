// What is known of one region: its name and switches, its figures with the noise floor beside them, its plots.

import { count, element, figure, hertz, say } from "./dom.js";
import { OrbitPlot, SpectrumPlot, WaveformPlot } from "./region_plots.js";

const STALE_MS = 3000;
const PEAKS = 6;
const HOUSING = "A bearing housing or pedestal: where ISO 20816-3 judges the vibration velocity";

export class RegionCard {
  #name;
  #parts = {};
  #plots;
  #reading = null;
  #came = 0;

  /** @param on {rename(name, wish), remove(name), housing(name, on)}, or null where nothing can be changed */
  constructor(name, on) {
    this.#name = name;
    this.root = this.#build(on);
    const { waveform, spectrum, orbit } = this.#parts;
    this.#plots = { waveform: new WaveformPlot(waveform), spectrum: new SpectrumPlot(spectrum), orbit: new OrbitPlot(orbit) };
  }

  region({ roi, housing }, colour) {
    this.root.dataset.colour = colour;
    this.#parts.name.id = `name-of-${colour}`;
    say(this.#parts.place, `${roi[2]} × ${roi[3]} px at ${roi[0]}, ${roi[1]}`);
    this.#parts.housing.checked = housing === true;
    if (document.activeElement !== this.#parts.name) this.#parts.name.value = this.#name; // also where a wish was refused
  }

  take(reading, view) {
    [this.#reading, this.#came] = [reading, performance.now()];
    this.#figures(reading.values);
    this.redraw(view);
  }

  redraw(view) {
    if (!this.#reading) return;
    this.#plots.waveform.draw(this.#reading);
    this.#plots.spectrum.draw(this.#reading, view);
    this.#plots.orbit.draw(this.#reading);
  }

  age() {
    const silent = performance.now() - this.#came;
    const stale = this.#reading === null || silent > STALE_MS;
    this.root.classList.toggle("stale", stale);
    this.root.classList.toggle("late", stale && this.#reading !== null);
    if (stale) say(this.#parts.state, this.#reading ? `last measured ${count(silent / 1000)} s ago` : "not measured yet");
  }

  #build(on) {
    const part = (name, tag, properties, children) => (this.#parts[name] = element(tag, properties, children));
    const entry = { type: "text", className: "name", value: this.#name, maxLength: 32, readOnly: !on, ariaLabel: "Name of the region" };
    const name = part("name", "input", entry);
    name.onchange = () => on.rename(this.#name, name.value);
    name.onkeydown = ({ key }) => { if (key === "Enter") name.blur(); };
    const housing = part("housing", "input", { type: "checkbox" });
    housing.onchange = () => on.housing(this.#name, housing.checked);
    const remove = element("button", { type: "button", className: "delete", textContent: "Delete" });
    remove.ariaLabel = `Delete region ${this.#name}`;
    remove.onclick = () => on.remove(this.#name);
    const switches = on ? [element("label", { className: "tick", title: HOUSING }, [housing, "Housing"]), remove] : [];
    const canvas = (key, text) => part(key, "canvas", { className: key, role: "img", ariaLabel: `${text} of ${this.#name}` });
    return element("article", { className: "card" }, [
      element("header", {}, [name, ...switches]),
      element("div", { className: "figures-of" }, [
        element("p", { className: "headline" }, [
          part("hz", "output"), part("px", "output"), part("zone", "b", { className: "zone", hidden: true }),
        ]),
        element("p", { className: "quiet state" }, [part("place", "span"), " · ", part("state", "span")]),
        element("div", { className: "scroll" }, [part("table", "table", { className: "peaks" }, [element("thead"), element("tbody")])]),
        part("sums", "dl", { className: "sums" }),
      ]),
      element("div", { className: "plots" }, [canvas("waveform", "Waveform"), canvas("spectrum", "Spectrum"), canvas("orbit", "Orbit")]),
    ]);
  }

  #figures(values) {
    const of = (axis) => (values[axis]?.peaks ?? []).map((peak) => ({ axis, floor: values[axis].noise_floor_px, ...peak }));
    const peaks = [...of("x"), ...of("y")];
    peaks.sort((a, b) => b.px - a.px);
    const [first] = peaks;
    say(this.#parts.hz, first ? hertz(first.hz) : "still");
    say(this.#parts.px, first ? `${figure(first.px)} px` : "no peak above the noise floor");
    const source = values.method === "projection" ? ", from raw steps" : "";
    say(this.#parts.state, `over ${figure(values.seconds)} s at ${count(values.fps)} Hz${source}`);
    this.#zone(values);
    this.#table(peaks.slice(0, PEAKS), values.um_per_px);
    this.#sums(values);
  }

  #zone({ zone, zone_text: why }) {
    const shown = this.#parts.zone;
    shown.hidden = !zone;
    if (!zone) return;
    say(shown, `Zone ${zone}`);
    shown.dataset.zone = zone;
    shown.title = why ?? "";
  }

  #table(peaks, scale) {
    const units = scale ? ["µm", "mm/s"] : [];
    const row = (tag, cells) => element("tr", {}, cells.map((cell) => element(tag, { textContent: cell })));
    this.#parts.table.hidden = !peaks.length;
    this.#parts.table.tHead.replaceChildren(row("th", ["", "Hz", "px", "floor, px", ...units, "SNR, dB"]));
    this.#parts.table.tBodies[0].replaceChildren(...peaks.map((peak) => {
      const scaled = scale ? [figure(peak.um), figure(peak.mm_s)] : [];
      const made = row("td", [peak.axis, peak.hz.toFixed(2), figure(peak.px), figure(peak.floor, 2), ...scaled, figure(peak.snr_db, 2)]);
      made.className = `axis-${peak.axis}`;
      return made;
    }));
  }

  #sums(values) {
    const both = (field, digits) => ["x", "y"].map((axis) => figure(values[axis]?.[field], digits)).join(" / ");
    const sums = [
      ["RMS x / y", `${both("rms_px")} px`],
      ["peak to peak x / y", `${both("peak_to_peak_px")} px`],
      ["noise floor x / y", `${both("noise_floor_px", 2)} px`],
    ];
    if (values.velocity_rms_mm_s != null) sums.push(["velocity, RMS", `${figure(values.velocity_rms_mm_s)} mm/s`]);
    if (this.#parts.housing.checked && values.zone_text && !values.zone) sums.push(["ISO 20816-3", values.zone_text]);
    const phase = values.phase_to;
    if (phase) sums.push([`phase to ${phase.region}`, `${phase.deg.toFixed(0)}° at ${hertz(phase.hz)}`]);
    this.#parts.sums.replaceChildren(...sums.map(([term, text]) => element("div", {}, [
      element("dt", { textContent: term }), element("dd", { textContent: text }),
    ])));
  }
}
