// The tables of links and nodes, and what the supervisor has to say.

import { $, count, fill, milliseconds, say } from "./dom.js";

export class Tables {
  #pipeline;

  constructor(pipeline) { this.#pipeline = pipeline; }

  update() {
    const { links, nodes, problems } = this.#pipeline;
    say($("problems"), problems.join("\n"));
    fill($("links"), links.map((link) => [
      `${link.source} → ${link.target}`, link.policy, count(link.sent), count(link.dropped),
      [count(link.lost), link.lost ? "bad" : ""], count(link.depth === null ? null : link.in_flight + link.depth),
      milliseconds(link.age_ms?.p50), milliseconds(link.age_ms?.p99),
    ]));
    fill($("nodes"), Object.entries(nodes).map(([name, node]) => [
      name, [node.phase.toLowerCase(), node.phase.toLowerCase() === "failed" ? "bad" : ""], [count(node.restarts), node.restarts ? "bad" : ""],
      node.cpu == null ? "–" : `${Math.round(100 * node.cpu)} %`, node.rss_mb == null ? "–" : `${count(node.rss_mb)} MB`,
      count(Math.max(node.processed ?? 0, node.emitted ?? 0)),
    ]));
  }
}
