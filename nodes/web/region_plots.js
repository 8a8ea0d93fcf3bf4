// The plots of one region: waveform, spectrum with its noise floor, orbit. x is blue, y is amber everywhere.

import { hertz } from "./dom.js";
import { Plot } from "./plot.js";

export const AXES = { x: "#5cc8ff", y: "#ffb454" };
const FLOORS = { x: "#3f86ad", y: "#ad7a35" };
const BAND = "rgb(61 220 151 / 0.10)";
const ORBIT = "#3ddc97";
const ROOM = 1.15;
const ORBIT_POINTS = 96;
const PERIODS = 12;
const LEAST_POINTS = 40;

const largest = (values) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** Points that show a dozen periods of the strongest vibration; all where there is none. */
function legible(values, interval) {
  const [first] = ["x", "y"].flatMap((axis) => values[axis]?.peaks ?? []).sort((a, b) => b.px - a.px);
  return first ? Math.max(LEAST_POINTS, Math.ceil(1000 * PERIODS / first.hz / interval)) : Infinity;
}

/** Displacement over time, the newest on the right. */
export class WaveformPlot {
  #plot;

  constructor(canvas) { this.#plot = new Plot(canvas); }

  draw({ values, arrays, rate_hz: rate }) {
    if (!arrays.waveform) return;
    const interval = 1000 * (values.waveform_step?.[1] ?? 1) / (rate || 1000);
    const points = Math.min(arrays.waveform[0].length, legible(values, interval));
    const waveform = arrays.waveform.map((row) => row.slice(-points));
    const all = waveform.flatMap((row) => [...row]);
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const room = (high - low) * (ROOM - 1) / 2 || 0.01;
    const x = [-interval * Math.max(points - 1, 1), 0];
    this.#plot.begin({ x, y: [low - room, high + room], yLabel: "displacement, px", xLabel: "time, ms" });
    for (const [row, axis] of ["x", "y"].entries()) this.#plot.line((index) => (index - points + 1) * interval, waveform[row], AXES[axis]);
    this.#plot.end();
  }
}

/** Amplitude over frequency; dashed: the smallest amplitude that can be told from noise. */
export class SpectrumPlot {
  #plot;

  constructor(canvas) { this.#plot = new Plot(canvas); }

  draw({ values, arrays }, { log, band }) {
    const { spectrum, frequencies_hz: hz } = arrays;
    if (!spectrum || !hz?.length) return;
    const floors = ["x", "y"].map((axis) => values[axis]?.noise_floor_px).filter((floor) => floor > 0);
    const peaks = ["x", "y"].flatMap((axis) => (values[axis]?.peaks ?? []).map((peak) => peak.px));
    const most = Math.max(largest(spectrum[0]), largest(spectrum[1]), ...floors, ...peaks, 1e-6) * ROOM;
    const least = log ? Math.min(Math.min(...floors, most) / 10, most / 100) : 0;
    const lowest = log ? hz.find((value) => value > 0) : 0;
    const [x, y] = [[lowest, hz.at(-1)], [least, log ? most * 2 : most]];
    this.#plot.begin({ x, y, logX: log, logY: log, yLabel: "amplitude, px", xLabel: "frequency, Hz" });
    if (band) this.#plot.band(...band, BAND);
    for (const [row, axis] of ["x", "y"].entries()) {
      if (values[axis]?.noise_floor_px > 0) this.#plot.level(values[axis].noise_floor_px, FLOORS[axis]);
      this.#plot.line((index) => Math.max(hz[index], lowest), spectrum[row], AXES[axis]);
    }
    this.#marks(values);
    this.#plot.end();
  }

  #marks(values) {
    const named = []; // x and y of one vibration are named once
    for (const axis of ["x", "y"]) {
      for (const peak of values[axis]?.peaks ?? []) {
        const again = named.some((hz) => Math.abs(peak.hz - hz) < 0.02 * hz);
        this.#plot.mark(peak.hz, peak.px, AXES[axis], again ? "" : hertz(peak.hz));
        named.push(peak.hz);
      }
    }
  }
}

/** The path of the region at its frequency: an ellipse, with the direction in which it is run through. */
export class OrbitPlot {
  #plot;

  constructor(canvas) { this.#plot = new Plot(canvas); }

  draw({ values: { orbit } }) {
    const most = (orbit?.major_px || 0.01) * ROOM;
    this.#plot.begin({ x: [-most, most], y: [-most, most], yLabel: "orbit, px", xLabel: orbit ? hertz(orbit.hz) : "", square: true });
    if (orbit) this.#ellipse(orbit);
    this.#plot.end();
  }

  #ellipse({ major_px: major, minor_px: minor, angle_deg: degrees, clockwise }) {
    const turn = degrees * Math.PI / 180;
    const at = (phase) => { // y of the picture goes down
      const [u, v] = [major * Math.cos(phase), minor * Math.sin(phase)];
      return [u * Math.cos(turn) - v * Math.sin(turn), -(u * Math.sin(turn) + v * Math.cos(turn))];
    };
    const path = Array.from({ length: ORBIT_POINTS + 1 }, (_, index) => at(2 * Math.PI * index / ORBIT_POINTS));
    this.#plot.line((index) => path[index][0], path.map(([, v]) => v), ORBIT, 1.75);
    const head = at(clockwise ? 0.35 : -0.35);
    this.#plot.mark(...at(0), ORBIT);
    this.#plot.line((index) => [at(0)[0], head[0]][index], [at(0)[1], head[1]], "#f2f5f7", 2);
  }
}
