// The connection to the server: pictures and readings with a credit of one each, events, news, commands, the server's clock.

import { unpack, unpackPicture, unpackReadings } from "./unpack.js";

const RETRY_MS = [300, 600, 1200, 2000];
const CLOCK_SAMPLES = 8;
const CLOCK_LEAST = 3; // one round trip alone may have waited for a busy page
const CLOCK_FIRST_MS = 100;
const CLOCK_EVERY_MS = 2000;

const localTime = () => performance.timeOrigin + performance.now();

/** The server's clock as seen from here: the offset of the quickest of the last round trips. */
class ServerClock {
  #samples = [];

  get known() { return this.#samples.length >= CLOCK_LEAST; }

  get settled() { return this.#samples.length >= CLOCK_SAMPLES; }

  take(sent, server) {
    const received = localTime();
    this.#samples.push({ trip: received - sent, offset: server - (sent + received) / 2 });
    this.#samples = this.#samples.slice(-CLOCK_SAMPLES);
  }

  /** Milliseconds since 1970 on the server. */
  now() {
    const best = this.#samples.reduce((a, b) => (b.trip < a.trip ? b : a));
    return localTime() + best.offset;
  }
}

const nextFrame = () => new Promise((resolve) => requestAnimationFrame(resolve));

export class Stream {
  connected = false;
  #socket = null;
  #clock = new ServerClock();
  #attempts = 0;
  #replies = new Map();
  #commands = 0;
  #shownAt = -Infinity; // when the page last came to the front

  /** @param on {draw(header, bitmaps), shown(header, ageMs, received), readings(list), events(list), news(news), opened(), changed()} */
  constructor(on) {
    this.on = on;
    document.addEventListener("visibilitychange", () => { this.#shownAt = performance.now(); });
  }

  connect() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/ws${location.search}`);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#opened();
    socket.onclose = () => this.#closed();
    socket.onmessage = ({ data }) => (typeof data === "string" ? this.#text(JSON.parse(data)) : this.#binary(socket, unpack(data)));
    this.#socket = socket;
  }

  /** Change a live option; resolves to the answer, rejects with the refusal. */
  set(node, option, value) { return this.#ask({ type: "set", node, option, value }); }

  /** Give a node a command; resolves to its answer, rejects with the refusal. */
  command(node, name, args = {}) { return this.#ask({ type: "command", node, name, arguments: args }); }

  /** Take the white level anew. */
  level() { this.#send({ type: "level" }); }

  #opened() {
    this.connected = true;
    this.#attempts = 0;
    this.#clock = new ServerClock();
    this.#ping();
    this.on.opened();
    this.on.changed();
  }

  #closed() {
    this.connected = false;
    for (const { reject } of this.#replies.values()) reject(new Error("the connection was lost"));
    this.#replies.clear();
    setTimeout(() => this.connect(), RETRY_MS[Math.min(this.#attempts++, RETRY_MS.length - 1)]);
    this.on.changed();
  }

  #send(message) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #ping() { this.#send({ type: "ping", sent: localTime() }); }

  #pong({ sent, now }) {
    this.#clock.take(sent, now * 1000);
    setTimeout(() => this.#ping(), this.#clock.settled ? CLOCK_EVERY_MS : CLOCK_FIRST_MS);
  }

  #ask(message) {
    if (!this.connected) return Promise.reject(new Error("there is no connection"));
    const id = ++this.#commands;
    return new Promise((resolve, reject) => {
      this.#replies.set(id, { resolve, reject });
      this.#send({ ...message, id });
    });
  }

  #text(message) {
    if (message.type === "pong") this.#pong(message);
    else if (message.type === "status") this.on.news(message);
    else if (message.type === "events") this.on.events(message.events);
    else if (message.type === "reply") this.#replied(message);
  }

  #replied({ id, error, value }) {
    const asked = this.#replies.get(id);
    this.#replies.delete(id);
    if (error) asked?.reject(new Error(error));
    else asked?.resolve(value);
  }

  #binary(socket, message) { return message.header.type === "readings" ? this.#readings(socket, message) : this.#picture(socket, message); }

  /** Show readings at the next frame, then ask for new ones. */
  async #readings(socket, message) {
    await nextFrame();
    try {
      this.on.readings(unpackReadings(message));
    } finally {
      if (socket === this.#socket) this.#send({ type: "readings_shown" });
    }
  }

  /** Draw a picture, then ask for the next: only what has been drawn is acknowledged. */
  async #picture(socket, message) {
    const received = performance.now();
    const [header, blobs] = [message.header, unpackPicture(message)];
    let age = null;
    try {
      const bitmaps = await Promise.all(blobs.map(async ([name, blob]) => [name, await createImageBitmap(blob)]));
      await nextFrame();
      this.on.draw(header, bitmaps);
      for (const [, bitmap] of bitmaps) bitmap.close();
      const waitedUnseen = this.#shownAt > received;
      if (this.#clock.known && !waitedUnseen) age = this.#clock.now() - header.source_time * 1000;
      this.on.shown(header, age, received);
    } finally {
      if (socket === this.#socket) this.#send({ type: "drawn", picture: header.picture, age_ms: age });
    }
  }
}
