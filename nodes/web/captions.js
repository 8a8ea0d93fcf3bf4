// What stands beside the pictures: how they were magnified, and when and how they were taken.

import { $, count, say } from "./dom.js";

const HIDDEN = ["alpha", "band_hz", "method", "mode"]; // shown in words of their own, or told by another

export function caption(header) {
  const { alpha, band_hz: band, method } = header.notes;
  say($("pixels-name"), alpha === undefined ? "Picture" : `Magnified ×${+(+alpha).toFixed(2)}`);
  const words = [band ? `${band.map((limit) => +limit.toFixed(1)).join("–")} Hz` : alpha === undefined ? "" : "all motion", method ?? ""];
  for (const [name, value] of Object.entries(header.notes)) {
    if (!HIDDEN.includes(name) && value !== null && typeof value !== "object") words.push(`${name.replaceAll("_", " ")} ${value}`);
  }
  say($("notes"), words.filter(Boolean).join(" · "));
  say($("seconds"), header.seconds === null ? "–" : `${header.seconds.toFixed(4)} s`);
  say($("step"), count(header.step));
  const effective = header.window_steps && header.rate_hz ? `; averages over ${(1000 * header.window_steps / header.rate_hz).toFixed(2)} ms` : "";
  say($("window"), header.front ? `${header.front.replace(/:(\d+)/, ", $1 steps")}${effective}` : "–");
  say($("white"), header.white === null ? "–" : `${header.white.toPrecision(3)} spikes/step`);
  $("skipped").value = count(header.skipped);
  document.body.dataset.pictures = header.sent;
}
