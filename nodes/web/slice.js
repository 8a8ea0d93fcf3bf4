// The x–t slice: what lies under a drawn line, one column a picture, the newest on the right.

import { $, element, seconds } from "./dom.js";

const COLUMNS = 480;
const LEAST_PX = 8;
const MARK = "#6cb6ff";

/** One strip: its picture's canvas is turned until the line stands upright, and one column of it is kept. */
class Strip {
  #canvas;

  constructor(canvas) {
    this.#canvas = canvas;
    canvas.width = COLUMNS;
  }

  clear(length) {
    this.#canvas.height = length;
    this.#context.clearRect(0, 0, COLUMNS, length);
  }

  get #context() { return this.#canvas.getContext("2d"); }

  /** @param line [[x0, y0], [x1, y1]] in pixels of the picture  @param cut whether time does not go on from the last column */
  add(picture, [[x0, y0], [x1, y1]], cut) {
    const [context, height] = [this.#context, this.#canvas.height];
    context.globalCompositeOperation = "copy";
    context.drawImage(this.#canvas, -1, 0);
    context.globalCompositeOperation = "source-over";
    const [dx, dy] = [x1 - x0, y1 - y0];
    const length = Math.hypot(dx, dy);
    const [cos, sin, zoom] = [dx / length, dy / length, height / length];
    context.save();
    context.beginPath();
    context.rect(COLUMNS - 1, 0, 1, height);
    context.clip();
    // along the line becomes downwards; the half pixel puts the line into the middle of the column
    context.setTransform(sin, cos * zoom, -cos, sin * zoom, COLUMNS - 0.5 - (x0 * sin - y0 * cos), -(x0 * cos + y0 * sin) * zoom);
    if (cut) {
      context.resetTransform();
      context.fillStyle = MARK;
      context.fillRect(COLUMNS - 1, 0, 1, height);
    } else context.drawImage(picture, 0, 0);
    context.restore();
  }
}

export class Slice {
  #stage;
  #line = null; // in px of the sensor
  #strips = { raw: new Strip($("slice-raw")), pixels: new Strip($("slice-pixels")) };
  #marks;
  #times = [];
  #epoch = null;

  constructor(stage, tools) {
    this.#stage = stage;
    this.#marks = stage.overlays.map((overlay) => overlay.appendChild(element("div", { className: "line", hidden: true })));
    let start = null;
    tools.add("line", {
      down: (event) => { start = stage.place(event); },
      move: (event) => { this.#mark([start, stage.place(event)]); },
      up: () => { this.#drawn(this.#pending); tools.choose(null); },
      centre: () => {
        const [width, middle] = [stage.width, stage.height / 2];
        this.#mark([[0, middle], [width, middle]]);
        this.#drawn(this.#pending);
      },
    });
    $("slice-close").onclick = () => this.#drawn(null);
    addEventListener("resize", () => { if (this.#line) this.#mark(this.#line); });
  }

  #pending = null;

  /** Take the pictures that have just been drawn. */
  add(header, names) {
    if (!this.#line) return;
    const cut = this.#epoch !== null && header.epoch !== this.#epoch;
    this.#epoch = header.epoch;
    const line = this.#line.map(([x, y]) => [x * header.scale, y * header.scale]);
    for (const name of names) this.#strips[name].add($(name), line, cut);
    $("slice-raw-figure").hidden = !names.includes("raw");
    this.#times = cut ? [] : [...this.#times.slice(1 - COLUMNS), header.seconds];
    const span = this.#times.length > 1 ? this.#times.at(-1) - this.#times[0] : 0;
    $("slice-time").textContent = span > 0 ? `one column a picture; ${this.#times.length} columns = ${seconds(span)} of sensor time` : "";
  }

  #mark(line) {
    this.#pending = line;
    const [[x0, y0], [x1, y1]] = line;
    for (const [index, mark] of this.#marks.entries()) {
      const box = this.#stage.overlays[index].getBoundingClientRect();
      const perPx = box.width / this.#stage.width;
      mark.hidden = false;
      Object.assign(mark.style, {
        left: `${100 * x0 / this.#stage.width}%`, top: `${100 * y0 / this.#stage.height}%`,
        width: `${Math.hypot(x1 - x0, y1 - y0) * perPx}px`, transform: `rotate(${Math.atan2(y1 - y0, x1 - x0)}rad)`,
      });
    }
  }

  #drawn(line) {
    const long = line && Math.hypot(line[1][0] - line[0][0], line[1][1] - line[0][1]) >= LEAST_PX;
    this.#line = long ? line : null;
    this.#pending = null;
    $("slice").hidden = !long;
    for (const mark of this.#marks) mark.hidden = !long;
    [this.#times, this.#epoch] = [[], null];
    if (!long) return;
    const length = Math.round(Math.hypot(line[1][0] - line[0][0], line[1][1] - line[0][1]) * this.#stage.scale);
    $("slice-length").textContent = `${Math.round(length / this.#stage.scale)} px`;
    for (const strip of Object.values(this.#strips)) strip.clear(Math.min(length, 600));
  }
}
