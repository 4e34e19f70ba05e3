/** A clock, a socket, a server and a screen for the tests; no time passes by itself. */

import { Connection } from "../src/connection.js";

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
    this.event({
      event: "hello",
      version: 1,
      viewer: "v1",
      resume: "KEY",
      resumed: false,
      mode: "rw",
      offset: 0,
      live: 0,
      input: 0,
      title: "web1 serial0",
      resizable: false,
      release: "0.1.0",
      line: { state: "live", message: "" },
      ...fields,
    });
  }

  break(code = 1006, reason = "") {
    this.onclose?.({ code, reason });
  }
}

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

  refused(message) {
    this.shown.push(`refused: ${message}`);
  }
}

/** A started connection with everything around it false. */
export function connecting() {
  const clock = new FakeClock();
  const screen = new FakeScreen();
  /** @type {FakeSocket[]} */
  const sockets = [];
  const around = { clock, screen, sockets, status: 0, socket: () => /** @type {FakeSocket} */ (sockets.at(-1)) };
  const connection = new Connection({
    dial: () => {
      const socket = new FakeSocket();
      sockets.push(socket);
      return /** @type {any} */ (socket);
    },
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
