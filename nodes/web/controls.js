// Controls of what runs: magnification, enlargement, strobe. A control whose node is not there is not there either.

import { $, element, hertz, say } from "./dom.js";

/** Sends the newest value, one at a time: a slider that is dragged never queues changes. */
class Changing {
  #send;
  #busy = false;
  #next = null;

  constructor(send) { this.#send = send; }

  get busy() { return this.#busy; }

  async to(value) {
    this.#next = [value];
    if (this.#busy) return;
    this.#busy = true;
    while (this.#next) {
      const [wanted] = this.#next;
      this.#next = null;
      await this.#send(wanted);
    }
    this.#busy = false;
  }
}

/** A slider and a number beside it for one live option. */
class Slider {
  constructor(pipeline, key, find) {
    Object.assign(this, { pipeline, find, group: $(`${key}-group`), slider: $(`${key}-slider`), box: $(key) });
    this.changing = new Changing((value) => pipeline.set(find()[0], find()[1], value));
    this.slider.oninput = () => { this.box.value = this.slider.value; this.changing.to(Number(this.slider.value)); };
    this.box.onchange = () => { if (this.box.value !== "") this.changing.to(Number(this.box.value)).then(() => this.update()); };
  }

  update() {
    const [node, option] = this.find();
    this.group.hidden = !node;
    if (!node || this.changing.busy || document.activeElement === this.box) return;
    const value = this.pipeline.nodes[node].live[option];
    this.box.value = +value.toFixed(3);
    this.slider.value = value;
  }
}

class Band {
  #pipeline;
  #last = [100, 400]; // what is offered when a band is put on
  #changing;

  constructor(pipeline) {
    this.#pipeline = pipeline;
    this.#changing = new Changing((value) => pipeline.set(this.#node, "band_hz", value));
    $("band-on").onchange = () => this.#change($("band-on").checked ? this.#last : null);
    for (const id of ["band-low", "band-high"]) {
      $(id).oninput = () => this.#typed();
      $(id).onchange = () => $(id).blur();
    }
  }

  get #node() { return this.#pipeline.withOptions("alpha", "band_hz"); }

  update() {
    $("band-group").hidden = !this.#node;
    const typing = [$("band-low"), $("band-high")].includes(document.activeElement);
    if (this.#node && !this.#changing.busy && !typing) this.#show(this.#pipeline.nodes[this.#node].live.band_hz);
  }

  #show(band) {
    $("band-on").checked = band !== null;
    $("band-low").disabled = $("band-high").disabled = band === null;
    if (band) this.#last = band;
    [$("band-low").value, $("band-high").value] = this.#last;
  }

  #typed() {
    const band = [$("band-low"), $("band-high")].map((box) => Number(box.value));
    if (band.every((limit) => limit > 0) && band[0] < band[1]) this.#change(band);
  }

  async #change(band) {
    if (band) this.#last = band;
    await this.#changing.to(band);
    this.update();
  }
}

/** The vibration that a strobe shows. */
class Strobe {
  #pipeline;

  constructor(pipeline) {
    this.#pipeline = pipeline;
    $("strobe").onchange = () => this.#change(Number($("strobe").value) || null);
  }

  async #change(hz) {
    await this.#pipeline.set(this.#node, "strobe_hz", hz);
    $("strobe").blur();
    this.update();
  }

  get #node() { return this.#pipeline.where(({ live, status }) => "strobe_hz" in live && "strobe" in status); }

  update() {
    const node = this.#node && this.#pipeline.nodes[this.#node];
    $("strobe-group").hidden = !node;
    if (!node) return;
    const { strobe_hz: locked, apparent_hz: apparent } = node.status;
    say($("strobe-state"), locked ? `locked to ${hertz(locked)}, shown at ${apparent} Hz` : "waits for a frequency");
    if (document.activeElement !== $("strobe")) $("strobe").value = node.live.strobe_hz == null ? "" : +node.live.strobe_hz.toFixed(4);
  }
}

class Method {
  #pipeline;

  constructor(pipeline) {
    this.#pipeline = pipeline;
    $("method").onchange = () => this.#change($("method").value);
  }

  async #change(method) {
    await this.#pipeline.set(this.#node, "method", method);
    $("method").blur();
    this.update();
  }

  get #node() { return this.#pipeline.withOptions("alpha", "method"); }

  update() {
    const node = this.#node && this.#pipeline.nodes[this.#node];
    $("method-group").hidden = !node?.status.methods;
    if (!node?.status.methods || document.activeElement === $("method")) return;
    if ($("method").options.length !== node.status.methods.length) {
      $("method").replaceChildren(...node.status.methods.map((method) => element("option", { value: method, textContent: method })));
    }
    $("method").value = node.live.method;
  }
}

export class Controls {
  #all;

  constructor(pipeline) {
    const has = (option, ...beside) => () => [pipeline.withOptions(option, ...beside), option];
    const own = (option) => () => [option in (pipeline.nodes[pipeline.own]?.live ?? {}) ? pipeline.own : null, option];
    this.#all = [
      new Slider(pipeline, "alpha", has("alpha")), new Band(pipeline), new Method(pipeline),
      new Slider(pipeline, "scale", has("scale")), new Strobe(pipeline),
      new Slider(pipeline, "pace-limit", own("max_fps")), new Slider(pipeline, "quality", own("quality")),
    ];
  }

  update() {
    for (const control of this.#all) control.update();
  }
}
