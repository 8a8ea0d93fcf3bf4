// The two pictures: side by side, wiped over one another, or the magnified one alone; and where on the sensor a point is.

import { $ } from "./dom.js";

const NARROW = "(max-width: 760px)";
const KEY_STEP = 0.02;

export class Stage {
  width = 0; // of what is shown of the sensor, px
  height = 0;
  origin = [0, 0]; // of the picture on the sensor, px: not 0, 0 where only a part of the sensor is taken
  scale = 1; // pixels of the picture per pixel of the sensor
  overlays = [$("raw-overlay"), $("pixels-overlay")];
  #raw = true;
  #view = matchMedia(NARROW).matches ? "wipe" : "pair";

  constructor() {
    for (const button of document.querySelectorAll("[data-view]")) button.onclick = () => this.look(button.dataset.view);
    const divider = $("divider");
    divider.onpointerdown = (event) => { divider.setPointerCapture(event.pointerId); event.preventDefault(); divider.focus(); };
    divider.onpointermove = (event) => { if (divider.hasPointerCapture(event.pointerId)) this.#wipeTo(event.clientX); };
    divider.onkeydown = (event) => this.#wipeBy(event);
    this.#wipe(0.5);
    this.look(this.#view);
  }

  /** Show ``pair``, ``wipe`` or ``alone``. */
  look(view) {
    this.#view = view;
    for (const button of document.querySelectorAll("[data-view]")) button.setAttribute("aria-pressed", button.dataset.view === view);
    this.#arrange();
  }

  draw(header, bitmaps) {
    this.#raw = bitmaps.some(([name]) => name === "raw");
    this.#arrange();
    for (const [name, bitmap] of bitmaps) {
      const canvas = $(name);
      if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
      canvas.getContext("2d", { alpha: false }).drawImage(bitmap, 0, 0);
    }
    this.#measure(header, bitmaps[0][1]);
  }

  /** Sensor px under the pointer from the picture's corner, held inside the picture. */
  place(event) {
    const box = event.currentTarget.closest(".overlay").getBoundingClientRect();
    const inside = (part, size) => Math.min(Math.max(part, 0), 1) * size;
    return [inside((event.clientX - box.left) / box.width, this.width), inside((event.clientY - box.top) / box.height, this.height)];
  }

  #arrange() {
    const view = this.#raw ? this.#view : "alone";
    $("pictures").dataset.arranged = view;
    $("raw-figure").hidden = view === "alone";
    $("divider").hidden = view !== "wipe";
    $("views").hidden = !this.#raw;
  }

  #measure(header, bitmap) {
    const [width, height] = [bitmap.width / header.scale, bitmap.height / header.scale];
    this.scale = header.scale;
    const same = header.origin.every((value, index) => value === this.origin[index]);
    if (same && Math.abs(width - this.width) < 1 && Math.abs(height - this.height) < 1) return;
    this.origin = header.origin;
    [this.width, this.height] = [Math.round(width), Math.round(height)];
    $("pictures").style.setProperty("--aspect", this.width / this.height);
    dispatchEvent(new Event("sensorsize"));
  }

  #wipe(part) {
    this.part = Math.min(Math.max(part, 0), 1);
    $("pictures").style.setProperty("--wipe", `${100 * this.part}%`);
    $("divider").setAttribute("aria-valuenow", Math.round(100 * this.part));
  }

  #wipeTo(clientX) {
    const box = $("pixels").getBoundingClientRect();
    this.#wipe((clientX - box.left) / box.width);
  }

  #wipeBy(event) {
    const by = { ArrowLeft: -KEY_STEP, ArrowRight: KEY_STEP }[event.key];
    if (!by) return;
    event.preventDefault();
    this.#wipe(this.part + by);
  }
}
