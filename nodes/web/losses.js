// What is dropped or lost on the links of the whole run: one figure, and a sentence while it goes on.

import { $, count, say } from "./dom.js";

const RECENT_MS = 10_000;
const DISPLAYS = ["Web", "Mjpeg", "Rtsp", "Foxglove"]; // people look at the newest: what they are too slow for is left out

export class Losses {
  total = null;
  #pipeline;
  #before = new Map(); // link → what was missing at the last status
  #recent = []; // [time, link, messages]

  constructor(pipeline) {
    this.#pipeline = pipeline;
    setInterval(() => this.#show(), 1000);
  }

  update() {
    const { links } = this.#pipeline;
    this.total = links.reduce((sum, link) => sum + link.dropped + link.lost, 0);
    const now = new Map(links.map((link) => [`${link.source} → ${link.target}\n${link.port ?? ""}`, this.#missing(link)]));
    for (const [link, missing] of now) {
      const more = missing - (this.#before.get(link) ?? missing);
      if (more > 0) this.#recent.push([performance.now(), link.split("\n")[0], more]);
    }
    this.#before = now;
    this.#show();
  }

  /** Messages that nobody meant to leave out: `latest` drops by design, and so does a queue before a display. */
  #missing({ policy, target, dropped, lost }) {
    const display = DISPLAYS.includes(this.#pipeline.nodes[target]?.type);
    const meant = policy === "latest" || (display && policy.startsWith("drop_oldest"));
    return lost + (meant ? 0 : dropped);
  }

  #show() {
    this.#recent = this.#recent.filter(([at]) => performance.now() - at < RECENT_MS);
    const sums = new Map();
    for (const [, link, more] of this.#recent) sums.set(link, (sums.get(link) ?? 0) + more);
    const texts = [...sums].map(([link, more]) => `${count(more)} on ${link}`);
    $("losses").hidden = !texts.length;
    say($("losses"), texts.length ? `Messages lost in the last ${RECENT_MS / 1000} s: ${texts.join(", ")}` : "");
    document.body.dataset.losing = texts.length ? "now" : "";
  }
}
