/** A clock, a socket, a server and a screen for the tests; no time passes by itself. */

import assert from "node:assert/strict";

import { Connection } from "../src/connection.js";

export const HELLO = {
  event: "hello",
  version: 1,
  viewer: "v1",
  resume: "KEY",
  resumed: false,
  mode: "rw",
  offset: 0,
  live: 0,
  input: 0,
  console: "C1",
  title: "web1 serial0",
  resizable: false,
  release: "0.1.0",
  line: { state: "live", message: "" },
};

export class FakeClock {
  constructor() {
    this.time = 0;
    /** @type {{at: number, call: () => void}[]} */
    this.calls = [];
  }

  now() {
    return this.time;
  }

  after(delay, call) {
    const entry = { at: this.time + delay, call };
    this.calls.push(entry);
    return () => {
      this.calls = this.calls.filter((other) => other !== entry);
    };
  }

  advance(milliseconds) {
    const end = this.time + milliseconds;
    for (;;) {
      const [next] = this.calls.filter(({ at }) => at <= end).sort((one, other) => one.at - other.at);
      if (!next) break;
      this.calls = this.calls.filter((other) => other !== next);
      this.time = next.at;
      next.call();
    }
    this.time = end;
  }
}

/** The browser's end of a WebSocket, and what the server does at the other. */
export class FakeSocket {
  constructor() {
    this.bufferedAmount = 0;
    this.sent = [];
    this.closed = false;
  }

  send(message) {
    this.sent.push(message);
  }

  close() {
    this.closed = true;
  }

  /** What was sent as JSON. */
  get said() {
    return this.sent.filter((message) => typeof message === "string").map((text) => JSON.parse(text));
  }

  /** What was sent as input. */
  get typed() {
    return this.sent
      .filter((message) => typeof message !== "string")
      .map((bytes) => new TextDecoder().decode(bytes))
      .join("");
  }

  open() {
    this.onopen?.();
  }

  event(event) {
    this.onmessage?.({ data: JSON.stringify(event) });
  }

  output(text) {
    this.onmessage?.({ data: new TextEncoder().encode(text).buffer });
  }

  outputOf(length) {
    this.onmessage?.({ data: new ArrayBuffer(length) });
  }

  hello(fields = {}) {
    this.open();
    this.event({ ...HELLO, ...fields });
  }

  break(code = 1006, reason = "") {
    this.onclose?.({ code, reason });
  }
}

/** What answers plain requests: by hand, one after another, but for pings; at first as a server that knows no polls. */
export class FakeServer {
  constructor() {
    this.polls = false;
    /** @type {{path: string, headers: object, body: any, answer: Function, fail: Function}[]} */
    this.asked = [];
  }

  post(path, { headers, body, signal }) {
    if (!this.polls) return Promise.resolve({ status: 405, body: new Uint8Array() });
    if (path === "say" && JSON.parse(body).do === "ping") return Promise.resolve({ status: 204, body: new Uint8Array() });
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(new Error("aborted")));
      this.asked.push({
        path,
        headers,
        body: typeof body === "string" ? JSON.parse(body) : new TextDecoder().decode(body),
        answer: (status, content = new Uint8Array()) => resolve({ status, body: content }),
        fail: () => reject(new Error("no network")),
      });
    });
  }

  /** The last request for a path, which nobody has looked at yet. */
  next(path) {
    const at = this.asked.findIndex((request) => request.path === path);
    assert.ok(at >= 0, `nothing was asked of ${path}`);
    return this.asked.splice(at, 1)[0];
  }
}

/** @param {(string|object)[]} records strings are output, objects events */
export function poll(...records) {
  const parts = records.map((record) => {
    const content = bytes(typeof record === "string" ? record : JSON.stringify(record));
    const head = new Uint8Array(5);
    head[0] = (typeof record === "string" ? "b" : "t").charCodeAt(0);
    new DataView(head.buffer).setUint32(1, content.length);
    return [head, content];
  });
  return new Uint8Array(Buffer.concat(parts.flat()));
}

/** Until promises that can be kept are. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));

/** Takes all output; parses it at once unless it is slow. */
export class FakeScreen {
  constructor() {
    this.slow = false;
    this.waiting = [];
    this.shown = [];
    this.answering = false;
  }

  write(bytes, replayed, parsed) {
    this.shown.push([new TextDecoder().decode(bytes), replayed ? "replayed" : "live"]);
    if (this.slow) this.waiting.push(() => parsed(bytes.length));
    else parsed(bytes.length);
  }

  catchUp() {
    const waiting = this.waiting;
    this.waiting = [];
    for (const parsed of waiting) parsed();
  }

  mayAnswer(may) {
    this.answering = may;
  }

  startedAnew() {
    this.shown.push("started anew");
  }

  missed(count) {
    this.shown.push(`missed ${count}`);
  }

  undelivered(count) {
    this.shown.push(`undelivered ${count}`);
  }

  cancelled(count) {
    this.shown.push(`cancelled ${count}`);
  }

  refused(what, message) {
    this.shown.push(`refused ${what}: ${message}`);
  }

  keyboard(holder, by) {
    this.shown.push(`keyboard ${holder} by ${by}`);
  }
}

/** A started connection with everything around it false. */
export function connecting() {
  const clock = new FakeClock();
  const screen = new FakeScreen();
  /** @type {FakeSocket[]} */
  const sockets = [];
  const around = { clock, screen, sockets, status: 0, server: new FakeServer(), socket: () => /** @type {FakeSocket} */ (sockets.at(-1)) };
  const connection = new Connection({
    dial: () => {
      const socket = new FakeSocket();
      sockets.push(socket);
      return /** @type {any} */ (socket);
    },
    post: (path, init) => around.server.post(path, init),
    probe: () => Promise.resolve(around.status),
    screen,
    clock,
    random: () => 0,
    changed: () => {},
  });
  connection.start();
  return { ...around, connection, around };
}

/** @param {string} text */
export const bytes = (text) => new TextEncoder().encode(text);
