// What a drag over the picture draws: a region, a line, or nothing.

import { $ } from "./dom.js";

export class Tools {
  chosen = null;
  #tools = new Map();

  constructor(stage) {
    for (const overlay of stage.overlays) {
      overlay.onpointerdown = (event) => this.#start(event, overlay);
      overlay.onpointermove = (event) => { if (overlay.hasPointerCapture(event.pointerId)) this.#tool?.move(event); };
      overlay.onpointerup = overlay.onpointercancel = () => this.#tool?.up();
    }
    addEventListener("keydown", (event) => this.#key(event), { capture: true }); // before what has the keyboard
  }

  /** @param tool {down(event), move(event), up(), centre()}; the last one is for those who have no pointer */
  add(name, tool) {
    this.#tools.set(name, tool);
    this.#button(name).onclick = () => this.choose(this.chosen === name ? null : name);
  }

  /** Show a tool's button, or hide it where the tool has nothing to work on. */
  offer(name, there) {
    this.#button(name).hidden = !there;
    if (!there && this.chosen === name) this.choose(null);
  }

  choose(name) {
    this.chosen = name;
    document.body.dataset.tool = name ?? "";
    for (const other of this.#tools.keys()) this.#button(other).setAttribute("aria-pressed", other === name);
  }

  get #tool() { return this.#tools.get(this.chosen); }

  #button(name) { return $(`tool-${name}`); }

  /** Escape puts the tool away; an arrow key draws in the middle of the picture, from where the keyboard can go on. */
  #key(event) {
    if (event.key === "Escape") this.choose(null);
    else if (this.#tool && event.key.startsWith("Arrow")) {
      event.preventDefault();
      event.stopPropagation();
      this.#tool.centre();
      this.choose(null);
    }
  }

  #start(event, overlay) {
    if (!this.#tool || event.button) return;
    event.preventDefault();
    overlay.setPointerCapture(event.pointerId);
    this.#tool.down(event);
  }
}
