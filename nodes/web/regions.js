// The regions of interest: kept by the node that measures them, drawn, moved, named and deleted here.

import { $ } from "./dom.js";
import { inside, resized, spanned } from "./rectangles.js";
import { RegionBoxes } from "./region_boxes.js";

const HOLD_MS = 1500; // a status that was on its way when something changed must not undo it
const COLOURS = 6;

export class Regions {
  all = new Map(); // name → {roi, housing, …}
  node = null;
  #pipeline;
  #stage;
  #boxes;
  #heldUntil = 0;
  #sent = 0;
  #drag = null;

  /** @param changed called whenever the regions are others */
  constructor(pipeline, stage, tools, changed) {
    [this.#pipeline, this.#stage, this.changed] = [pipeline, stage, changed];
    this.#boxes = new RegionBoxes(stage, {
      press: (event, name, corner) => this.#press(event, name, corner),
      move: (event) => this.#move(event),
      release: () => this.#release(),
      key: (event, name) => this.#key(event, name),
    });
    tools.add("region", {
      down: (event) => this.#draw(event), move: (event) => this.#move(event), up: () => this.#release(), centre: () => this.#centre(),
    });
    this.tools = tools;
    addEventListener("sensorsize", () => this.#show());
  }

  colour(name) { return 1 + [...this.all.keys()].indexOf(name) % COLOURS; }

  update() {
    this.node = this.#pipeline.withOptions("regions");
    this.tools.offer("region", this.node !== null);
    if (!this.node || this.#drag || performance.now() < this.#heldUntil) return;
    this.#take(this.#pipeline.nodes[this.node].live.regions ?? {});
  }

  rename(name, wished) {
    const wish = wished.trim();
    if (!wish || wish === name || this.all.has(wish)) return this.changed();
    return this.#send(new Map([...this.all].map(([key, region]) => [key === name ? wish : key, region])));
  }

  remove(name) { return this.#send(new Map([...this.all].filter(([key]) => key !== name))); }

  housing(name, on) { return this.#send(new Map(this.all).set(name, { ...this.all.get(name), housing: on })); }

  #take(regions) {
    const taken = new Map(Object.entries(regions));
    if (JSON.stringify([...taken]) === JSON.stringify([...this.all])) return;
    this.all = taken;
    this.#show();
    this.changed();
  }

  #show() {
    const shown = new Map([...this.all].map(([name, region]) => [name, { ...region, roi: this.#inPicture(region.roi) }]));
    this.#boxes.show(shown, (name) => this.colour(name));
  }

  #inPicture([x, y, width, height]) { return [x - this.#stage.origin[0], y - this.#stage.origin[1], width, height]; }

  #onSensor([x, y, width, height]) { return [x + this.#stage.origin[0], y + this.#stage.origin[1], width, height]; }

  async #send(regions) {
    const before = Object.fromEntries(this.all);
    this.#heldUntil = performance.now() + HOLD_MS;
    this.#take(Object.fromEntries(regions));
    const number = ++this.#sent;
    const inForce = await this.#pipeline.set(this.node, "regions", Object.fromEntries(regions));
    this.#heldUntil = performance.now() + HOLD_MS;
    if (number === this.#sent) this.#take(inForce ?? before); // else a newer change is on its way
  }

  #freeName() {
    for (let number = 1; ; number++) if (!this.all.has(`R${number}`)) return `R${number}`;
  }

  // Pointers

  #draw(event) {
    const start = this.#stage.place(event);
    const name = this.#freeName();
    this.#drag = { name, roi: null, at: (to) => spanned(start, to, this.#stage.width, this.#stage.height) };
  }

  #centre() {
    const { width, height } = this.#stage;
    const name = this.#freeName();
    const roi = this.#onSensor(spanned([0.4 * width, 0.4 * height], [0.6 * width, 0.6 * height], width, height));
    this.#send(new Map(this.all).set(name, { roi, housing: false }));
    this.#boxes.focus(name);
  }

  #press(event, name, corner) {
    const roi = this.#inPicture(this.all.get(name).roi);
    const [x, y] = this.#stage.place(event);
    const { width, height } = this.#stage;
    const at = corner
      ? ([toX, toY]) => resized(roi, roi[2] + toX - x, roi[3] + toY - y, width, height)
      : ([toX, toY]) => inside([roi[0] + toX - x, roi[1] + toY - y, roi[2], roi[3]], width, height);
    this.#drag = { name, roi: null, at };
  }

  #move(event) {
    if (!this.#drag) return;
    this.#drag.roi = this.#drag.at(this.#stage.place(event));
    const { name, roi } = this.#drag;
    this.#boxes.move(name, roi, this.all.has(name) ? this.colour(name) : 1 + this.all.size % COLOURS);
  }

  #release() {
    const drag = this.#drag;
    this.#drag = null;
    if (!drag?.roi) return;
    this.tools.choose(null);
    this.#send(new Map(this.all).set(drag.name, { housing: false, ...this.all.get(drag.name), roi: this.#onSensor(drag.roi) }));
  }

  /** Arrows move, with Shift they resize; Delete deletes. */
  #key(event, name) {
    if (event.key === "Delete" || event.key === "Backspace") return void (event.preventDefault(), this.remove(name));
    if (event.key === "Enter") return void (event.preventDefault(), $(`name-of-${this.colour(name)}`)?.focus());
    const [byX, byY] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [0, 0];
    if (!byX && !byY) return;
    event.preventDefault();
    const { width, height } = this.#stage;
    const roi = this.#inPicture(this.all.get(name).roi);
    const moved = event.shiftKey
      ? resized(roi, roi[2] + byX, roi[3] + byY, width, height)
      : inside([roi[0] + byX, roi[1] + byY, roi[2], roi[3]], width, height);
    this.#send(new Map(this.all).set(name, { ...this.all.get(name), roi: this.#onSensor(moved) }));
  }
}
