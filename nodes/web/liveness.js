// Whether what is seen is live: one word, one sentence where it is not, and the figures of the pictures shown.

import { $, count, say } from "./dom.js";

const STALL_LEAST_MS = 1000; // a stream slower than this is given four of its own intervals
const RATE_OVER_MS = 2000;
const INTERVALS = 9;
const PACE_OVER_S = 3;

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

export class Liveness {
  #draws = []; // [time, age] of the pictures drawn in the last two seconds
  #lastCame = null; // when the last picture drawn had come to the server
  #intervals = []; // milliseconds between the last pictures
  #instants = []; // [sensor time, source time, time scale] of the last seconds
  #epoch = null;
  #ended = false;
  #about;

  /** @param about tells {connected, paused, live, dropped} */
  constructor(about) {
    this.#about = about;
    setInterval(() => this.tick(), 200);
  }

  news({ stream }) {
    this.#ended = stream.ended;
    this.tick();
  }

  shown(header, age, received) {
    const came = received - 1000 * header.silent_s;
    if (this.#lastCame !== null) this.#intervals = [...this.#intervals.slice(1 - INTERVALS), came - this.#lastCame];
    this.#lastCame = came;
    this.#draws.push([performance.now(), age]);
    this.#follow(header);
    this.tick();
  }

  tick() {
    const [key, word, sentence] = this.#state();
    document.body.dataset.state = key;
    say($("state-word"), word);
    $("notice").hidden = sentence === null;
    if (sentence !== null) $("notice").textContent = sentence;
    this.#figures(key === "live");
  }

  /** Keep the last seconds of sensor time against wall time. */
  #follow(header) {
    if (header.epoch !== this.#epoch) this.#instants = [];
    this.#epoch = header.epoch;
    this.#instants.push([header.seconds, header.source_time, header.time_scale]);
    this.#instants = this.#instants.filter(([, at]) => at > header.source_time - PACE_OVER_S);
  }

  /** The one state that matters most: its key for the style, a word, and a sentence where the picture is not live. */
  #state() {
    const { connected, paused, live } = this.#about();
    const silent = this.#lastCame === null ? null : performance.now() - this.#lastCame;
    const since = silent === null ? "" : `no picture for ${(silent / 1000).toFixed(1)} s`;
    if (this.#ended) return ["ended", "Ended", "The run has ended. This is its last picture."];
    if (!connected) return ["lost", "No connection", `Connection lost, trying again … ${since}`];
    if (this.#lastCame === null) return ["waiting", "Waiting", "Waiting for the first picture"];
    if (silent <= Math.max(STALL_LEAST_MS, 4 * (median(this.#intervals) ?? 0))) return ["live", live ? "Live" : "Replay", null];
    if (paused) return ["paused", "Paused", null];
    return ["stalled", "Stalled", since[0].toUpperCase() + since.slice(1)];
  }

  #figures(live) {
    const now = performance.now();
    this.#draws = this.#draws.filter(([at]) => now - at < RATE_OVER_MS);
    const ages = this.#draws.map(([, age]) => age).filter((age) => age !== null);
    $("age").value = live && ages.length ? count(Math.max(0, median(ages))) : "–";
    const span = this.#draws.length > 1 ? (this.#draws.at(-1)[0] - this.#draws[0][0]) / 1000 : 0;
    $("fps").value = !live ? "0" : span > 0.2 ? ((this.#draws.length - 1) / span).toFixed(1) : "–";
    say($("pace"), live ? this.#pace() : "–");
    const { dropped } = this.#about();
    $("dropped").value = dropped === null ? "–" : count(dropped);
  }

  /** How much of the scene's time a second on the page shows. */
  #pace() {
    if (this.#instants.length < 3) return "–";
    const [[from, since], [to, until, timeScale]] = [this.#instants[0], this.#instants.at(-1)];
    if (until - since < 0.3) return "–";
    const seconds = (to - from) / (until - since) / timeScale;
    if (!(seconds > 0)) return "–";
    if (seconds > 0.97 && seconds < 1.03) return "real time";
    const [value, unit] = seconds >= 1 ? [seconds, "s"] : seconds >= 1e-3 ? [seconds * 1e3, "ms"] : [seconds * 1e6, "µs"];
    return `1 s shown = ${value.toPrecision(value >= 100 ? 3 : 2)} ${unit}`;
  }
}
