// The pipeline behind the page: which nodes there are, what they can do, and how to change them.

import { $ } from "./dom.js";

export class Pipeline {
  nodes = {};
  links = [];
  name = "";
  own = ""; // the page's own node
  live = true; // whether the stream comes from a source that waits for nobody
  problems = [];
  known = false;
  #stream;

  constructor(stream) { this.#stream = stream; }

  update({ node, pipeline }) {
    this.own = node;
    if (!pipeline || pipeline.error) return false;
    this.nodes = pipeline.nodes;
    this.links = pipeline.links;
    this.name = pipeline.pipeline ?? "";
    this.live = pipeline.live !== false;
    this.problems = pipeline.problems ?? [];
    this.known = true;
    return true;
  }

  /** Name of the first node that has all of these live options. */
  withOptions(...options) {
    return this.where((node) => options.every((option) => option in node.live));
  }

  /** Name of the first node whose status has all of these fields. */
  withStatus(...fields) { return this.where((node) => fields.every((field) => field in (node.status ?? {}))); }

  /** Name of the first node of a type. */
  ofType(type) { return this.where((node) => node.type === type); }

  /** Change a live option; resolves to the value in force, or to undefined where it was refused, which the page then says. */
  async set(node, option, value) {
    const answer = await this.#told(this.#stream.set(node, option, value));
    if (answer !== undefined && this.nodes[node]) this.nodes[node].live[option] = answer;
    return answer;
  }

  /** Give a node a command; resolves like `set`. */
  command(node, name, args = {}) { return this.#told(this.#stream.command(node, name, args)); }

  async #told(asked) {
    try {
      const answer = await asked;
      $("refusal").hidden = true;
      return answer ?? null;
    } catch (error) {
      $("refusal-text").textContent = error.message;
      $("refusal").hidden = false;
      return undefined;
    }
  }

  /** Name of the first node that fits. */
  where(fits) { return Object.entries(this.nodes).find(([, node]) => fits(node))?.[0] ?? null; }
}
