// The console: joins the connection to the parts of the page.

import { Alarms } from "./alarms.js";
import { caption } from "./captions.js";
import { Controls } from "./controls.js";
import { $, say } from "./dom.js";
import { FrequencyMap } from "./frequency_map.js";
import { Liveness } from "./liveness.js";
import { Losses } from "./losses.js";
import { Measurements } from "./measurements.js";
import { Pipeline } from "./pipeline.js";
import { Record } from "./record.js";
import { Regions } from "./regions.js";
import { Replay } from "./replay.js";
import { Slice } from "./slice.js";
import { Stage } from "./stage.js";
import { Stream } from "./stream.js";
import { Tables } from "./tables.js";
import { Tools } from "./tools.js";

const stream = new Stream({
  opened: () => alarms.forget(),
  changed: () => liveness.tick(),
  draw: (header, bitmaps) => {
    stage.draw(header, bitmaps);
    slice.add(header, bitmaps.map(([name]) => name));
  },
  shown: (header, age, received) => {
    caption(header);
    liveness.shown(header, age, received);
  },
  readings: (readings) => {
    for (const reading of readings) (reading.topic === "map" ? map : measurements).take(reading);
  },
  events: (events) => alarms.take(events),
  news: (news) => {
    if (pipeline.update(news)) for (const part of parts) part.update();
    name();
    liveness.news(news);
  },
});

const pipeline = new Pipeline(stream);
const stage = new Stage();
const tools = new Tools(stage);
const slice = new Slice(stage, tools);
const regions = new Regions(pipeline, stage, tools, () => measurements.arrange());
const measurements = new Measurements(pipeline, regions);
const map = new FrequencyMap(pipeline, stage);
const alarms = new Alarms(pipeline, name);
const replay = new Replay(pipeline);
const losses = new Losses(pipeline);
const parts = [regions, map, alarms, replay, losses, new Tables(pipeline), new Controls(pipeline), new Record(pipeline)];
const liveness = new Liveness(() => ({
  connected: stream.connected, paused: replay.paused, live: pipeline.live, dropped: losses.total,
}));

/** Put the number of standing alarms, the worst of them, and the pipeline's name into the title. */
function name() {
  say($("pipeline"), pipeline.name);
  const title = [pipeline.name, "SpikeMM"].filter(Boolean).join(" · ");
  const [worst] = alarms.standing; // they come sorted
  document.title = worst ? `(${alarms.standing.length}) ${worst.details.severity === "warning" ? "WARNING" : "ALARM"} · ${title}` : title;
}

$("level").onclick = () => stream.level();
$("refusal-close").onclick = () => { $("refusal").hidden = true; };
stream.connect();
