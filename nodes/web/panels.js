// What stands below the pictures: replay controls, live options, the tables of links and nodes.

const SPEEDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 0];
const SLIDERS = { alpha: [0, 50, 0.5], quality: [1, 100, 1], max_fps: [1, 60, 1] };

const $ = (id) => document.getElementById(id);
const number = (value) => (value === null || value === undefined ? "–" : Math.round(value).toLocaleString("en").replaceAll(",", "\u202f"));
const milliseconds = (value) => (value === null || value === undefined ? "–" : `${value < 10 ? value.toFixed(1) : number(value)} ms`);
const speedName = (speed) => (speed === 0 ? "as fast as possible" : `${speed} ×`);

function element(tag, properties = {}, children = []) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Fill a table's body; cells are texts or [text, class]. */
function fill(table, rows) {
  $(table).tBodies[0].replaceChildren(...rows.map((cells) => element("tr", {}, cells.map((cell) => {
    const [text, className] = Array.isArray(cell) ? cell : [cell, ""];
    return element("td", { textContent: text, className });
  }))));
}

export class Panels {
  paused = false;
  dropped = null; // on the links into this page's node
  live = true; // whether the stream comes from a source that waits for nobody
  #stream;
  #player = null; // name of the node that has the replay's commands
  #status = null;
  #options = new Map();
  #seeking = false;

  constructor(stream) {
    this.#stream = stream;
    $("play").onclick = () => this.#tell(this.paused ? "resume" : "pause");
    $("step-one").onclick = () => this.#tell("step", { frames: 1 });
    $("loop").onchange = () => this.#tell("loop", { on: $("loop").checked });
    $("speed").onchange = () => this.#tell("speed", { value: Number($("speed").value) });
    $("seek").oninput = () => { this.#seeking = true; $("seek-now").value = this.#time(Number($("seek").value)); };
    $("seek").onchange = () => {
      this.#tell("seek", { step: Number($("seek").value) }).finally(() => { this.#seeking = false; });
    };
  }

  update({ node, pipeline }) {
    if (!pipeline || pipeline.error) return;
    if (pipeline.pipeline) {
      $("pipeline").textContent = pipeline.pipeline;
      document.title = `${pipeline.pipeline} · SpikeMM`;
    }
    this.live = pipeline.live !== false;
    $("problems").textContent = (pipeline.problems ?? []).join("\n");
    this.#links(pipeline.links, node);
    this.#nodes(pipeline.nodes);
    this.#replay(pipeline.nodes);
    this.#liveOptions(pipeline.nodes);
  }

  #links(links, own) {
    this.dropped = links.filter((link) => link.target === own).reduce((sum, link) => sum + link.dropped + link.lost, 0);
    fill("links", links.map((link) => [
      `${link.source} → ${link.target}`, link.policy, number(link.sent), number(link.dropped),
      [number(link.lost), link.lost ? "bad" : ""], number(link.depth === null ? null : link.in_flight + link.depth),
      milliseconds(link.age_ms?.p50), milliseconds(link.age_ms?.p99),
    ]));
  }

  #nodes(nodes) {
    fill("nodes", Object.entries(nodes).map(([name, node]) => [
      name, [node.phase.toLowerCase(), node.phase.toLowerCase() === "failed" ? "bad" : ""], [number(node.restarts), node.restarts ? "bad" : ""],
      node.cpu == null ? "–" : `${Math.round(100 * node.cpu)} %`, node.rss_mb == null ? "–" : `${number(node.rss_mb)} MB`,
      number(Math.max(node.processed ?? 0, node.emitted ?? 0)),
    ]));
  }

  #replay(nodes) {
    const found = Object.entries(nodes).find(([, { status }]) => "paused" in status && "steps" in status);
    $("replay").hidden = !found;
    if (!found) return;
    [this.#player, { status: this.#status }] = found;
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
    return at ? `${(step * seconds / at).toFixed(3)} s` : `step ${number(step)}`;
  }

  async #tell(name, args) {
    const status = await this.#carryOut(this.#stream.command(this.#player, name, args));
    if (status && "paused" in status) {
      this.#status = status;
      this.#show();
    }
  }

  /** Wait for a command; a refusal is shown until the next command. */
  async #carryOut(asked) {
    try {
      const answer = await asked;
      $("refusal").hidden = true;
      return answer;
    } catch (error) {
      $("refusal").textContent = error.message;
      $("refusal").hidden = false;
      return null;
    }
  }

  #liveOptions(nodes) {
    for (const [name, node] of Object.entries(nodes)) {
      if (name === this.#player) continue; // its options are the replay's controls
      for (const [option, value] of Object.entries(node.live)) {
        const key = `${name}.${option}`;
        if (!this.#options.has(key)) this.#options.set(key, this.#control(name, option, value));
        this.#options.get(key)(value);
      }
    }
    $("options").hidden = this.#options.size === 0;
  }

  /** Add the control of one option; returns what shows its present value. */
  #control(node, option, value) {
    const slider = SLIDERS[option];
    const input = element("input", { type: typeof value === "boolean" ? "checkbox" : slider ? "range" : "text" });
    const output = element("output");
    if (slider) [input.min, input.max, input.step] = slider;
    const read = () => (input.type === "checkbox" ? input.checked : slider ? Number(input.value) : parse(input.value));
    input.oninput = () => { if (slider) output.value = input.value; };
    input.onchange = () => this.#carryOut(this.#stream.set(node, option, read())).then(() => input.blur());
    $("options").append(element("label", { className: input.type }, [
      element("span", { textContent: `${node} · ${option.replace(/_hz$/, " (Hz)").replaceAll("_", " ")}` }), input, ...(slider ? [output] : []),
    ]));
    return (now) => { if (document.activeElement !== input) show(input, output, now); };
  }
}

function show(input, output, value) {
  if (input.type === "checkbox") input.checked = value;
  else if (input.type === "range") {
    input.max = Math.max(input.max, value);
    input.value = output.value = value;
  } else input.value = value === null ? "" : Array.isArray(value) ? value.join(", ") : value;
}

/** A number, a list of numbers, nothing, or else a word. */
function parse(text) {
  if (text.trim() === "") return null;
  const parts = text.split(/[,;\s]+/).filter(Boolean);
  if (parts.some((part) => Number.isNaN(Number(part)))) return text.trim();
  return parts.length === 1 ? Number(parts[0]) : parts.map(Number);
}
