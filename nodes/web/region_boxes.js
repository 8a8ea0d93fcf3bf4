// The regions as boxes over both pictures: what can be seized, with a pointer, a finger or the keyboard.

import { element } from "./dom.js";

const LABEL_PX = 18;
const HELP = "Drag to move, the corner to resize; arrow keys move, with Shift they resize, Delete deletes";

export class RegionBoxes {
  #stage;
  #on;
  #boxes = new Map(); // name → one box an overlay

  /** @param on {press(event, name, corner), move(event), release(), key(event, name)} */
  constructor(stage, on) { [this.#stage, this.#on] = [stage, on]; }

  /** @param regions Map of name to {roi}, px from the picture's corner  @param colour tells the number of a region's colour */
  show(regions, colour) {
    if (!this.#stage.width) return;
    for (const [name, boxes] of this.#boxes) {
      if (!regions.has(name)) this.#remove(name, boxes);
    }
    for (const [name, { roi }] of regions) this.move(name, roi, colour(name));
  }

  /** Put one region, new or not, somewhere. */
  move(name, roi, colour) {
    if (!this.#boxes.has(name)) this.#boxes.set(name, this.#stage.overlays.map((overlay) => this.#add(overlay, name)));
    for (const box of this.#boxes.get(name)) this.#place(box, roi, colour);
  }

  /** Give a region the keyboard. */
  focus(name) { this.#boxes.get(name)?.find((box) => box.offsetParent !== null)?.focus(); }

  #remove(name, boxes) {
    for (const box of boxes) box.remove();
    this.#boxes.delete(name);
  }

  #place(box, [x, y, width, height], colour) {
    const percent = (value, of) => `${100 * value / of}%`;
    const { width: wide, height: high } = this.#stage;
    Object.assign(box.style, { left: percent(x, wide), top: percent(y, high), width: percent(width, wide), height: percent(height, high) });
    box.dataset.colour = colour;
    box.toggleAttribute("data-top", y < LABEL_PX); // no room for the name above it
  }

  #add(overlay, name) {
    const corner = element("span", { className: "corner" });
    const box = element("div", { className: "region", tabIndex: 0, title: HELP }, [element("b", { textContent: name }), corner]);
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", `Region ${name}`);
    box.dataset.region = name;
    box.onpointerdown = (event) => {
      event.stopPropagation();
      box.setPointerCapture(event.pointerId);
      this.#on.press(event, name, event.target === corner);
    };
    box.onpointermove = (event) => { if (box.hasPointerCapture(event.pointerId)) this.#on.move(event); };
    box.onpointerup = box.onpointercancel = () => this.#on.release();
    box.onkeydown = (event) => this.#on.key(event, name);
    overlay.append(box);
    return box;
  }
}
