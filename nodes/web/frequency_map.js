// The live map over the picture: colour tells the frequency, opacity how far the amplitude stands above the noise floor.

import { $, element, figure, hertz } from "./dom.js";

const FULL = 10; // times the noise floor at which a block is shown at full strength
const STRONGEST = 0.5;
const LEAST_RATIO = 1.5; // between the ends of the colours: noise of a single frequency is no rainbow
const STOPS = [[70, 90, 255], [0, 190, 255], [0, 225, 140], [215, 225, 40], [255, 150, 30], [255, 60, 60]];

/** A colour from blue (0) to red (1). */
function colour(part) {
  const at = Math.min(Math.max(part, 0), 1) * (STOPS.length - 1);
  const [from, to] = [STOPS[Math.floor(at)], STOPS[Math.min(Math.floor(at) + 1, STOPS.length - 1)]];
  return from.map((value, index) => value + (to[index] - value) * (at - Math.floor(at)));
}

export class FrequencyMap {
  #stage;
  #canvases;
  #reading = null;
  #ours = false; // whether the node makes maps because this page asked it to
  #pipeline;

  constructor(pipeline, stage) {
    [this.#pipeline, this.#stage] = [pipeline, stage];
    this.#canvases = stage.overlays.map((overlay) => {
      const canvas = element("canvas", { className: "map", width: 1, height: 1, hidden: true });
      overlay.prepend(canvas);
      overlay.addEventListener("pointermove", (event) => this.#tell(event));
      return canvas;
    });
    $("tool-map").onclick = () => this.#toggle();
    this.#legend();
  }

  update() {
    const node = this.#pipeline.withOptions("map");
    $("tool-map").hidden = !node && !this.#reading;
    if (this.#ours && node && this.#pipeline.nodes[node].live.map === null) this.#show(this.#ours = false); // put off by someone
  }

  take(reading) {
    this.#reading = reading;
    $("tool-map").hidden = false;
    if (this.#shown) this.#paint(reading);
  }

  get #shown() { return $("tool-map").getAttribute("aria-pressed") === "true"; }

  /** Show or hide the map; a node that makes none is asked to, for as long as it is shown. */
  async #toggle() {
    const node = this.#pipeline.withOptions("map");
    const wanted = !this.#shown;
    const made = node === null || this.#pipeline.nodes[node].live.map !== null;
    if (wanted ? !made : this.#ours) {
      if (await this.#pipeline.set(node, "map", wanted ? {} : null) === undefined) return;
      this.#ours = wanted;
    }
    this.#show(wanted);
  }

  #show(on) {
    $("tool-map").setAttribute("aria-pressed", on);
    const there = on && this.#reading !== null;
    for (const canvas of this.#canvases) canvas.hidden = !there;
    $("map-legend").hidden = !on;
    if (there) this.#paint(this.#reading);
    else $("map-low").textContent = "not measured yet";
  }

  #paint({ values, arrays: { hz, px, floor_px: floor } }) {
    const [rows, columns] = [hz.length, hz[0]?.length ?? 0];
    const present = hz.flatMap((row, r) => [...row].filter((value, c) => value > 0 && px[r][c] > 0));
    const [low, high] = present.length ? [Math.min(...present), Math.max(...present)] : [0, 0];
    const widen = Math.sqrt(Math.max(1, LEAST_RATIO * low / high));
    this.range = [low / widen, high * widen];
    const image = new ImageData(columns, rows);
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) {
        if (!(hz[r][c] > 0)) continue;
        const strength = Math.min(1, px[r][c] / (floor[r][c] || px[r][c] / FULL) / FULL);
        image.data.set([...colour(this.#part(hz[r][c])), 255 * STRONGEST * (0.25 + 0.75 * strength)], 4 * (r * columns + c));
      }
    }
    const [x, y] = this.#corner;
    for (const canvas of this.#canvases) this.#put(canvas, image, [x, y, columns * values.block_px, rows * values.block_px]);
    $("map-low").textContent = present.length ? hertz(this.range[0]) : "nothing above the noise floor";
    $("map-high").textContent = present.length ? hertz(this.range[1]) : "";
  }

  /** Where the map's first block is, px from the picture's corner: they need not be of the same part of the sensor. */
  get #corner() {
    const origin = this.#reading.values.origin ?? [0, 0];
    return origin.map((value, index) => value - this.#stage.origin[index]);
  }

  #put(canvas, image, [x, y, width, height]) {
    canvas.hidden = false;
    [canvas.width, canvas.height] = [image.width, image.height];
    canvas.getContext("2d").putImageData(image, 0, 0);
    const [across, down] = [(value) => `${100 * value / this.#stage.width}%`, (value) => `${100 * value / this.#stage.height}%`];
    Object.assign(canvas.style, { left: across(x), top: down(y), width: across(width), height: down(height) });
  }

  #part(hz) { return Math.log(hz / this.range[0]) / Math.log(this.range[1] / this.range[0]); }

  #legend() {
    const context = $("map-scale").getContext("2d");
    for (let x = 0; x < $("map-scale").width; x++) {
      context.fillStyle = `rgb(${colour(x / $("map-scale").width).join(" ")})`;
      context.fillRect(x, 0, 1, $("map-scale").height);
    }
  }

  /** Name what is under the pointer. */
  #tell(event) {
    if (!this.#shown || !this.#reading) return;
    const { values: { block_px: block }, arrays: { hz, px, floor_px: floor } } = this.#reading;
    const [x, y] = this.#stage.place(event).map((value, index) => Math.floor((value - this.#corner[index]) / block));
    const there = hz[y]?.[x] > 0;
    $("map-here").textContent = there ? `here: ${hertz(hz[y][x])}, ${figure(px[y][x])} px (floor ${figure(floor[y][x], 2)} px)` : "";
  }
}
