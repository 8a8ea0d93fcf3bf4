// The live page: draws the pictures, and says at a glance whether what is seen is live.

import { Panels } from "./panels.js";
import { Stream } from "./stream.js";

const STALL_LEAST_MS = 1000; // a stream slower than this is given four of its own intervals
const RATE_OVER_MS = 2000;
const INTERVALS = 9;
const PACE_OVER_S = 3;

const $ = (id) => document.getElementById(id);
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const count = (value) => value.toLocaleString("en").replaceAll(",", "\u202f");

let draws = []; // [time, age] of the pictures drawn in the last two seconds
let lastCame = null; // when the last picture drawn had come to the server
let intervals = []; // milliseconds between the last pictures
let instants = []; // [sensor time, source time] of the last seconds, for the time scale
let epoch = null;
let news = null;

const stream = new Stream({ draw, shown, news: (latest) => { news = latest; panels.update(latest); tick(); }, changed: tick });
const panels = new Panels(stream);

function draw(header, bitmaps) {
  const names = bitmaps.map(([name]) => name);
  $("raw-figure").hidden = !names.includes("raw");
  $("pictures").classList.toggle("pair", names.includes("raw"));
  for (const [name, bitmap] of bitmaps) {
    const canvas = $(name);
    if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
      canvas.width = bitmap.width;
      canvas.height = bitmap.height;
    }
    canvas.getContext("2d", { alpha: false }).drawImage(bitmap, 0, 0);
  }
}

function shown(header, age, received) {
  const now = performance.now();
  const came = received - 1000 * header.silent_s;
  if (lastCame !== null) intervals = [...intervals.slice(1 - INTERVALS), came - lastCame];
  lastCame = came;
  draws.push([now, age]);
  follow(header);
  caption(header);
  $("skipped").value = count(header.skipped);
  document.body.dataset.pictures = header.sent;
  tick();
}

/** Keep the last seconds of sensor time against wall time. */
function follow(header) {
  if (header.epoch !== epoch) instants = [];
  epoch = header.epoch;
  instants.push([header.seconds, header.source_time, header.time_scale]);
  instants = instants.filter(([, at]) => at > header.source_time - PACE_OVER_S);
}

function caption(header) {
  const { alpha, band_hz: band, ...others } = header.notes;
  $("pixels-name").textContent = alpha === undefined ? "Picture" : `Magnified ×${+(+alpha).toFixed(2)}`;
  const words = band ? [`${band.join("–")} Hz`] : [];
  for (const [name, value] of Object.entries(others)) {
    if (value !== null && typeof value !== "object") words.push(`${name.replaceAll("_", " ")} ${value}`);
  }
  $("notes").textContent = words.join(" · ");
  $("seconds").textContent = header.seconds === null ? "–" : `${header.seconds.toFixed(4)} s`;
  $("step").textContent = count(header.step);
  const effective = header.window_steps && header.rate_hz ? `; averages over ${(1000 * header.window_steps / header.rate_hz).toFixed(2)} ms` : "";
  $("window").textContent = header.front ? `${header.front.replace(/:(\d+)/, ", $1 steps")}${effective}` : "–";
  $("white").textContent = header.white === null ? "–" : `${header.white.toPrecision(3)} spikes/step`;
}

/** How much of the scene's time a second on the page shows. */
function pace() {
  if (instants.length < 3) return "–";
  const [[from, since], [to, until, timeScale]] = [instants[0], instants.at(-1)];
  if (until - since < 0.3) return "–";
  const seconds = (to - from) / (until - since) / timeScale;
  if (!(seconds > 0)) return "–";
  if (seconds > 0.97 && seconds < 1.03) return "real time";
  const [value, unit] = seconds >= 1 ? [seconds, "s"] : seconds >= 1e-3 ? [seconds * 1e3, "ms"] : [seconds * 1e6, "µs"];
  return `1 s shown = ${value.toPrecision(value >= 100 ? 3 : 2)} ${unit}`;
}

/** The one state that matters most: its key for the style, a word, and a sentence where the picture is not live. */
function state() {
  const silent = lastCame === null ? null : performance.now() - lastCame;
  const since = silent === null ? "" : `no picture for ${(silent / 1000).toFixed(1)} s`;
  if (news?.stream.ended) return ["ended", "Ended", "The run has ended. This is its last picture."];
  if (!stream.connected) return ["lost", "No connection", `Connection lost, trying again … ${since}`];
  if (lastCame === null) return ["waiting", "Waiting", "Waiting for the first picture"];
  if (silent <= Math.max(STALL_LEAST_MS, 4 * (median(intervals) ?? 0))) return ["live", panels.live ? "Live" : "Replay", null];
  if (panels.paused) return ["paused", "Paused", null];
  return ["stalled", "Stalled", since[0].toUpperCase() + since.slice(1)];
}

function tick() {
  const [key, word, sentence] = state();
  document.body.dataset.state = key;
  if ($("state-word").textContent !== word) $("state-word").textContent = word;
  $("notice").hidden = sentence === null;
  if (sentence !== null) $("notice").textContent = sentence;
  figures(key === "live");
}

function figures(live) {
  const now = performance.now();
  draws = draws.filter(([at]) => now - at < RATE_OVER_MS);
  const ages = draws.map(([, age]) => age).filter((age) => age !== null);
  $("age").value = live && ages.length ? count(Math.max(0, Math.round(median(ages)))) : "–";
  const span = draws.length > 1 ? (draws.at(-1)[0] - draws[0][0]) / 1000 : 0;
  $("fps").value = !live ? "0" : span > 0.2 ? ((draws.length - 1) / span).toFixed(1) : "–";
  $("pace").textContent = live ? pace() : "–";
  $("dropped").value = panels.dropped === null ? "–" : count(panels.dropped);
}

$("level").addEventListener("click", () => stream.level());
setInterval(tick, 200);
stream.connect();
