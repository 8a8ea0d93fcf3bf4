// A sink in JavaScript: prints step, width, height, mean level and age of every frame that a running pipeline sends.
//
//     npm install zeromq @msgpack/msgpack
//     node sink.mjs ENDPOINT             (nodes.NAME.endpoint of: spikemm ctl status --json)
//
// PROTOCOL.md, one folder up, says what is on the wire; the words below are its words.
import { decode, encode } from "@msgpack/msgpack";
import { Dealer } from "zeromq";

const socket = new Dealer({ linger: 200, receiveTimeout: 1000, sendTimeout: 0 });
const unlessBusy = (error) => (error.code === "EAGAIN" ? null : Promise.reject(error));
// Without waiting: a producer that does not listen must not hold us, and grants are repeated anyway.
const say = (tag, fields) => socket.send(fields ? [tag, encode(fields)] : [tag]).catch(unlessBusy);
let connection = "";
let done = 0;
let stopped = false;

async function hello() {
  connection = `js-sink-${Date.now()}`; // new for each hello
  done = 0;
  await say("H", { version: 1, node: "js-sink", port: "in", connection, policy: "latest" });
}

// A view where the part lies at a multiple of 4 bytes, a copy where it does not.
function floats(part) {
  const bytes = part.byteOffset % 4 ? new Uint8Array(part) : part;
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
}

function show(header, parts) {
  const index = header.arrays.findIndex(([name]) => name === "pixels");
  if (header.version !== 1 || header.kind !== "frames" || index < 0) return;
  const [, dtype, shape] = header.arrays[index];
  const [count, height, width] = shape;
  if (dtype !== "<f4" || parts[index].byteLength !== 4 * count * height * width) {
    console.error("a message whose arrays are not what its header says");
    return;
  }
  const light = floats(parts[index]);
  for (let n = 0; n < count; n += 1) {
    const frame = light.subarray(n * height * width, (n + 1) * height * width);
    const mean = frame.reduce((sum, value) => sum + value, 0) / frame.length;
    const age = Date.now() - 1000 * header.source_time;
    console.log(`step ${header.step + n * header.hop}  ${width}x${height}  mean ${mean.toFixed(4)}  age ${age.toFixed(1)} ms`);
  }
}

// Act upon one message; return false when the stream has ended.
async function hear([tag, name, header, ...parts]) {
  const kind = tag.toString();
  if (kind === "R") throw new Error(`refused: ${name}`);
  if (kind === "E") return false;
  if (String(name) !== connection) return true; // of a connection that is no more
  if (kind === "?") await hello(); // the producer was restarted
  if (kind === "D") {
    show(decode(header), parts);
    done += 1;
  }
  return true;
}

for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => (stopped = true));
socket.connect(process.argv[2]);
await hello();
let goesOn = true;
while (goesOn && !stopped) {
  // one message at a time, and never more than a second apart: grants are the sign of life
  await say("G", { connection, messages: done + 1, bytes: 2 ** 52, done });
  const message = await socket.receive().catch(unlessBusy);
  if (message) goesOn = await hear(message);
}
await say("B");
socket.close();
