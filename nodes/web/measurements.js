// The cards of all regions, and the readings that go into them.

import { $ } from "./dom.js";
import { RegionCard } from "./region_card.js";

export class Measurements {
  #cards = new Map();
  #regions;
  #readings = new Map(); // name → the newest reading of that region
  #pipeline;

  constructor(pipeline, regions) {
    [this.#pipeline, this.#regions] = [pipeline, regions];
    $("log").onchange = () => this.#redraw();
    addEventListener("resize", () => this.#redraw());
    setInterval(() => { for (const card of this.#cards.values()) card.age(); }, 1000);
  }

  /** Make a card for every region there is, in their order. */
  arrange() {
    const all = this.#all();
    for (const [name, card] of this.#cards) {
      if (!all.has(name)) this.#drop(name, card);
    }
    for (const [name, region] of all) {
      if (!this.#cards.has(name)) this.#add(name);
      this.#cards.get(name).region(region, this.#regions.node ? this.#regions.colour(name) : 1);
    }
    $("regions").hidden = !this.#regions.node && !all.size;
    $("no-regions").hidden = all.size > 0;
  }

  take(reading) {
    this.#readings.set(reading.name, reading);
    if (!this.#regions.node) this.arrange(); // regions that something else has set
    this.#cards.get(reading.name)?.take(reading, this.#view);
  }

  /** Regions that can be changed, or those that are measured without our doing. */
  #all() {
    if (this.#regions.node) return this.#regions.all;
    return new Map([...this.#readings].map(([name, { values }]) => [name, { roi: values.roi, housing: false }]));
  }

  get #view() {
    const magnifier = this.#pipeline.withOptions("alpha", "band_hz");
    return { log: $("log").checked, band: magnifier && this.#pipeline.nodes[magnifier].live.band_hz };
  }

  #add(name) {
    const card = new RegionCard(name, this.#regions.node ? this.#regions : null);
    this.#cards.set(name, card);
    $("cards").append(card.root);
    card.age();
    if (this.#readings.has(name)) card.take(this.#readings.get(name), this.#view);
  }

  #drop(name, card) {
    card.root.remove();
    this.#cards.delete(name);
    this.#readings.delete(name);
  }

  #redraw() { for (const card of this.#cards.values()) card.redraw(this.#view); }
}
