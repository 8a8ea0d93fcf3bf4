// Replay controls: there only where the source is a recording.

import { $, count, element } from "./dom.js";

const SPEEDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 0];

function speedName(speed) {
  if (speed === 0) return "as fast as possible";
  if (speed === 1) return "real time";
  return speed < 1 ? `1/${+(1 / speed).toPrecision(3)} of real time` : `${speed} × real time`;
}

export class Replay {
  paused = false;
  #pipeline;
  #player = null;
  #status = null;
  #seeking = false;

  constructor(pipeline) {
    this.#pipeline = pipeline;
    $("play").onclick = () => this.#tell(this.paused ? "resume" : "pause");
    $("step-on").onclick = () => this.#tell("step", { frames: 1 });
    $("step-back").onclick = () => this.#tell("step", { frames: -1 });
    $("loop").onchange = () => this.#tell("loop", { on: $("loop").checked });
    $("speed").onchange = () => this.#tell("speed", { value: Number($("speed").value) }).then(() => $("speed").blur());
    $("seek").oninput = () => { this.#seeking = true; $("seek-now").value = this.#time(Number($("seek").value)); };
    $("seek").onchange = () => this.#tell("seek", { step: Number($("seek").value) }).finally(() => { this.#seeking = false; });
    addEventListener("keydown", (event) => this.#key(event));
  }

  update() {
    this.#player = this.#pipeline.withStatus("paused", "steps");
    $("replay").hidden = !this.#player;
    if (!this.#player) return;
    this.#status = this.#pipeline.nodes[this.#player].status;
    this.#show();
  }

  #show() {
    const status = this.#status;
    this.paused = status.paused;
    $("play").textContent = status.paused ? "Resume" : "Pause";
    $("loop").checked = status.loop;
    this.#speeds(status.speed);
    $("seek").max = status.steps - 1;
    $("seek-end").value = this.#time(status.steps);
    if (this.#seeking) return;
    $("seek").value = status.step;
    $("seek-now").value = this.#time(status.step);
  }

  #speeds(now) {
    if (document.activeElement === $("speed")) return;
    const all = SPEEDS.includes(now) ? SPEEDS : [now, ...SPEEDS];
    $("speed").replaceChildren(...all.map((speed) => element("option", { value: speed, textContent: speedName(speed) })));
    $("speed").value = now;
  }

  #time(step) {
    const { step: at, seconds } = this.#status;
    return at ? `${(step * seconds / at).toFixed(3)} s` : `step ${count(step)}`;
  }

  /** Space, comma and point play, step back and step on, unless something else has the keyboard. */
  #key(event) {
    const button = { " ": "play", ",": "step-back", ".": "step-on" }[event.key];
    if (!button || !this.#player || event.target !== document.body) return;
    event.preventDefault();
    $(button).click();
  }

  async #tell(name, args) {
    const status = await this.#pipeline.command(this.#player, name, args);
    if (status && "paused" in status) {
      this.#status = status;
      this.#show();
    }
  }
}
