// Alarms: the list of what was raised and cleared, and a banner that nobody overlooks while one stands.

import { $, element, figure, say } from "./dom.js";

const SHOWN = 200;
const LINES = 3; // of the banner

const day = (wall) => new Date(wall * 1000).toLocaleString("en-GB");

/** The time, with the date where that is not today. */
function clock(wall) {
  const at = new Date(wall * 1000);
  return at.toDateString() === new Date().toDateString() ? at.toLocaleTimeString("en-GB") : day(wall);
}

export class Alarms {
  standing = []; // the events of the alarms that are raised now, the worst first
  #events = new Map();
  #pipeline;
  #changed;

  /** @param changed called whenever other alarms stand */
  constructor(pipeline, changed) {
    [this.#pipeline, this.#changed] = [pipeline, changed];
    $("banner-acknowledge").onclick = () => { for (const event of this.#open) this.#acknowledge(event); };
  }

  /** The server is another one, or was asked anew: what it keeps comes again. */
  forget() {
    this.#events.clear();
    this.take([]);
  }

  take(events) {
    for (const event of events) this.#events.set(event.number, event);
    const latest = new Map();
    for (const event of [...this.#events.values()].sort((a, b) => a.number - b.number)) {
      if (event.name !== "mark") latest.set(`${event.name}\n${event.details.region ?? ""}`, event);
    }
    this.standing = [...latest.values()].filter(({ details }) => details.state === "raised");
    this.standing.sort((a, b) => (a.details.severity === "alarm" ? 0 : 1) - (b.details.severity === "alarm" ? 0 : 1));
    this.#list();
    this.#banner();
    this.#changed();
  }

  update() {
    const there = this.#pipeline.ofType("Alarm") !== null || this.#events.size > 0;
    $("alarms").hidden = !there;
    $("no-alarms").hidden = this.#events.size > 0;
  }

  get #open() { return this.standing.filter((event) => !event.acknowledged); }

  async #acknowledge({ name, details }) {
    const node = this.#pipeline.ofType("Alarm");
    if (node) await this.#pipeline.command(node, "acknowledge", { rule: name, region: details.region ?? "" });
  }

  #banner() {
    const open = this.#open;
    const worst = (open[0] ?? this.standing[0])?.details.severity ?? "";
    document.body.dataset.alarm = open.length ? worst : this.standing.length ? "acknowledged" : "";
    $("banner").hidden = !this.standing.length;
    const word = this.standing.length === 1 ? (worst === "alarm" ? "Alarm" : "Warning") : `${this.standing.length} alarms`;
    say($("banner-word"), open.length ? word : `${word}, acknowledged`);
    const texts = (open.length ? open : this.standing).map(({ details }) => details.text);
    const more = texts.length > LINES ? [`and ${texts.length - LINES + 1} more`] : [];
    say($("banner-text"), [...texts.slice(0, LINES - more.length), ...more].join("\n"));
    $("banner-acknowledge").hidden = !open.length || !this.#pipeline.ofType("Alarm");
  }

  #list() {
    const events = [...this.#events.values()].sort((a, b) => b.number - a.number).slice(0, SHOWN);
    $("alarm-list").replaceChildren(...events.map((event) => this.#line(event)));
    this.update();
  }

  #line(event) {
    const { state, severity, text, value, limit, unit } = event.details;
    const stands = this.standing.includes(event);
    const word = severity === "mark" ? "mark" : state === "cleared" ? "cleared" : severity;
    const figures = value == null ? "" : `${figure(value)} ${unit ?? ""}${limit == null ? "" : ` · limit ${figure(limit)} ${unit ?? ""}`}`;
    const line = element("li", { className: stands ? "stands" : "" }, [
      element("time", { textContent: clock(event.wall), title: day(event.wall) }),
      element("b", { textContent: word, className: word }),
      element("span", { className: "what", textContent: text || event.name, title: figures }),
    ]);
    if (stands && event.acknowledged) line.append(element("span", { className: "quiet", textContent: "acknowledged" }));
    else if (stands && this.#pipeline.ofType("Alarm")) {
      const button = element("button", { type: "button", textContent: "Acknowledge" });
      button.onclick = () => this.#acknowledge(event);
      line.append(button);
    }
    return line;
  }
}
