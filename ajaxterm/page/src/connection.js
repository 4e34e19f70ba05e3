/**
 * A viewer's side of the protocol `ajaxterm.v1`, without any DOM.
 *
 * Its life:
 *
 *     connecting -> attached           hello has come
 *     connecting -> retrying           refused, broken, or no hello in time
 *     attached   -> retrying           broken, silent, or ended with leave to retry
 *     attached   -> behind             the screen can't follow: 16 MiB wait for it
 *     behind     -> connecting         the screen has caught up
 *     retrying   -> connecting         the delay is over, the user impatient, or the network back
 *     any        -> ended              the server said so; only the user tries again
 *     ended      -> connecting         the user tries again
 *
 * Output has offsets, input has numbers (docs/protocol.md). The offset goes up
 * only by what was handed to the screen, so a later connection asks for
 * exactly what is missing.
 */

import { Backoff } from "./backoff.js";
import { Outbox } from "./outbox.js";

/** Milliseconds from opening a socket to its `hello`. */
const HELLO_WITHIN = 15_000;
/** Milliseconds between pings. */
const PING_EVERY = 5_000;
const FIRST_PING = 1_000;
/**
 * So many pings in a row with nothing heard, and the connection is given up.
 * Ticks are counted, not time: a tab that was frozen is not punished.
 */
const SILENT_PINGS = 3;
/** A connection that lived so long was a good one: the next delay is the shortest. */
const GOOD_AFTER = 10_000;
/** Bytes waiting in the screen at which the connection is dropped, and picked up again. */
const MOST_PENDING = 16 * 1024 * 1024;
const FEW_PENDING = 1024 * 1024;
/** Bytes in one message of input, and bytes that may wait in the socket. */
const INPUT_MESSAGE = 16 * 1024;
const MOST_BUFFERED = 64 * 1024;
const PUMP_AGAIN = 20;
/**
 * A proxy that was just restarted refuses grants that it is yet to hear of, so
 * only refusals over so many milliseconds are believed.
 */
const REFUSED_FOR = 10_000;
/** Close codes after which trying again can't help, and what to call them. */
const FINAL = new Map([
  [1000, "closed"],
  [1002, "protocol"],
  [1003, "protocol"],
  [1007, "protocol"],
  [1009, "protocol"],
  [4003, "revoked"],
]);

/**
 * @typedef {object} Screen what shows the output
 * @property {(bytes: Uint8Array, replayed: boolean, parsed: (count: number) => void) => void} write
 * @property {(may: boolean) => void} mayAnswer
 * @property {() => void} startedAnew the output begins again: clear
 * @property {(count: number) => void} missed bytes of output are gone here
 * @property {(count: number) => void} undelivered bytes typed earlier won't be typed
 * @property {(message: string) => void} refused the server didn't do something
 *
 * @typedef {object} Clock
 * @property {() => number} now milliseconds
 * @property {(delay: number, call: () => void) => () => void} after answers with what cancels it
 *
 * @typedef {{name: string, user: string, mode: string}} Viewer
 *
 * @typedef {object} State
 * @property {"connecting"|"connected"|"waiting"|"reconnecting"|"behind"|"ended"} name
 * @property {string} reason why it is reconnecting or has ended: a word for strings.js
 * @property {string} message the server's own words on it, or ""
 * @property {number|null} deadline when it will try again, by the clock
 * @property {string} title
 * @property {"rw"|"ro"|null} mode null before the first hello
 * @property {string|null} viewer our public name
 * @property {Viewer[]} viewers
 * @property {boolean} answering
 * @property {boolean} resizable
 * @property {number|null} roundTrip milliseconds
 * @property {number|null} offset of the next byte of output
 * @property {number|null} live
 * @property {number} pending bytes which the screen has yet to parse
 * @property {number} unsent bytes typed and not sent
 * @property {number} uncounted bytes typed and not counted by the server
 */

export class Connection {
  /**
   * @param {object} parts
   * @param {() => WebSocket} parts.dial opens a socket
   * @param {() => Promise<number>} parts.probe asks over HTTP: a status, or 0
   * @param {Screen} parts.screen
   * @param {Clock} parts.clock
   * @param {() => number} parts.random from 0 to 1
   * @param {() => void} parts.changed called when `state` has changed
   */
  constructor({ dial, probe, screen, clock, random, changed }) {
    this._dialSocket = dial;
    this._probe = probe;
    this._screen = screen;
    this._clock = clock;
    this._changed = changed;
    this._backoff = new Backoff(random);
    this._outbox = new Outbox();

    /** @type {"connecting"|"attached"|"retrying"|"behind"|"ended"} */
    this._phase = "connecting";
    /** @type {WebSocket|null} */
    this._socket = null;
    this._opened = false;
    this._failedBefore = false;
    this._reason = "";
    this._message = "";
    /** @type {number|null} */
    this._deadline = null;
    /** @type {number|null} */
    this._refusedSince = null;
    this._attachedAt = 0;
    this._silentPings = 0;
    this._pending = 0;
    /** Cancels the timer of the phase: for hello, the next ping, or the next try. */
    this._cancelTimer = () => {};
    this._cancelPump = () => {};

    /** @type {string|null} */
    this._resume = null;
    /** @type {number|null} */
    this._offset = null;
    /** @type {number|null} */
    this._live = null;
    /** @type {{rows: number, columns: number}|null} */
    this._size = null;
    /** @type {"rw"|"ro"|null} */
    this._mode = null;
    this._title = "";
    /** @type {string|null} */
    this._viewer = null;
    /** @type {Viewer[]} */
    this._viewers = [];
    this._answering = false;
    this._resizable = false;
    this._line = { state: "live", message: "" };
    /** @type {number|null} */
    this._roundTrip = null;
  }

  /** @returns {State} */
  get state() {
    /** @type {State["name"]} */
    let name;
    let message = this._message;
    if (this._phase === "attached") {
      name = this._line.state === "waiting" ? "waiting" : "connected";
      message = this._line.message;
    } else if (this._phase === "connecting") {
      name = this._failedBefore ? "reconnecting" : "connecting";
    } else {
      name = this._phase === "retrying" ? "reconnecting" : this._phase;
    }
    return {
      name,
      reason: this._reason,
      message,
      deadline: this._deadline,
      title: this._title,
      mode: this._mode,
      viewer: this._viewer,
      viewers: this._viewers,
      answering: this._answering,
      resizable: this._resizable,
      roundTrip: this._roundTrip,
      offset: this._offset,
      live: this._live,
      pending: this._pending,
      unsent: this._outbox.unsent,
      uncounted: this._outbox.length,
    };
  }

  // What the page calls.

  start() {
    this._dial();
  }

  /** How many bytes that the server has not counted may wait here. */
  get limit() {
    return this._outbox.limit;
  }

  /** The user says: now; or anew, if a try takes long. */
  reconnect() {
    if (this._phase === "attached" || this._phase === "behind") return;
    this._refusedSince = null;
    this._dial();
  }

  /**
   * The network or the user has come back: no reason to wait any longer, nor
   * to trust a connection that was left alone. An end stays an end.
   */
  awake() {
    if (this._phase === "retrying") {
      this._dial();
    } else if (this._phase === "attached" && this._silentPings < SILENT_PINGS) {
      this._silentPings = SILENT_PINGS - 1;
      this._ping();
    }
  }

  /**
   * @param {Uint8Array} bytes what the user has typed or pasted
   * @returns {"taken"|"read-only"|"full"|"ended"} what became of all of it
   */
  type(bytes) {
    if (this._phase === "ended") return "ended";
    if (this._mode === "ro") return "read-only";
    if (!this._outbox.add(bytes)) return "full";
    this._pump();
    if (this._phase !== "attached") this._changed();
    return "taken";
  }

  /**
   * What the terminal says by itself. Without a connection it is dropped:
   * nobody will be waiting for it any more.
   *
   * @param {Uint8Array} bytes
   */
  answer(bytes) {
    if (this._phase === "attached" && this._mode === "rw" && this._outbox.add(bytes)) this._pump();
  }

  /**
   * @param {number} rows
   * @param {number} columns
   */
  resize(rows, columns) {
    this._size = { rows, columns };
    this._sendSize();
  }

  // Opening and closing.

  _dial() {
    this._hangUp();
    this._phase = "connecting";
    this._deadline = null;
    this._opened = false;
    this._changed();
    let socket;
    try {
      socket = this._dialSocket();
    } catch {
      this._retry("unreachable");
      return;
    }
    this._socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this._opened = true;
      this._send({ do: "attach", resume: this._resume, offset: this._offset });
    };
    socket.onmessage = (event) => this._received(event.data);
    socket.onclose = (event) => this._closed(event.code, event.reason);
    this._cancelTimer = this._clock.after(HELLO_WITHIN, () => this._retry("unreachable"));
  }

  /** Lets go of the socket: nothing that it still delivers counts. */
  _hangUp() {
    this._cancelTimer();
    this._cancelTimer = () => {};
    this._cancelPump();
    this._cancelPump = () => {};
    this._roundTrip = null;
    this._setAnswering(false);
    const socket = this._socket;
    if (!socket) return;
    this._socket = null;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  _closed(code, reason) {
    const final = FINAL.get(code);
    if (final) this._end(final, reason);
    else if (code === 4029) this._retry("full", reason);
    else if (code === 1001) this._retry("away", reason);
    else if (this._opened) this._retry("lost");
    else this._refused();
  }

  /** Not even opened. A browser won't say why; a plain request might. */
  _refused() {
    this._retry("unreachable");
    const deadline = this._deadline;
    this._probe().then((status) => {
      // Unless somebody tried again meanwhile.
      if (this._phase !== "retrying" || this._deadline !== deadline) return;
      if (status !== 401 && status !== 403 && status !== 410) {
        this._refusedSince = null;
        return;
      }
      this._refusedSince ??= this._clock.now();
      if (this._clock.now() - this._refusedSince >= REFUSED_FOR) {
        this._end("refused", "");
      } else {
        this._reason = "refused";
        this._changed();
      }
    });
  }

  /**
   * @param {string} reason
   * @param {string} message
   */
  _retry(reason, message = "") {
    if (this._phase === "attached" && this._clock.now() - this._attachedAt >= GOOD_AFTER) {
      this._backoff.reset();
    }
    this._hangUp();
    this._phase = "retrying";
    this._failedBefore = true;
    this._reason = reason;
    this._message = message;
    const delay = this._backoff.next();
    this._deadline = this._clock.now() + delay;
    this._cancelTimer = this._clock.after(delay, () => this._dial());
    this._changed();
  }

  /**
   * @param {string} reason
   * @param {string} message
   */
  _end(reason, message) {
    // While attached, what was sent has probably arrived, counted or not.
    const dropped = this._phase === "attached" ? this._outbox.unsent : this._outbox.length;
    this._hangUp();
    this._phase = "ended";
    this._failedBefore = true;
    this._reason = reason;
    this._message = message;
    this._deadline = null;
    this._outbox.clear();
    if (dropped) this._screen.undelivered(dropped);
    this._changed();
  }

  /** The screen can't follow, and a browser can't pause a socket. */
  _fallBehind() {
    this._hangUp();
    this._phase = "behind";
    this._failedBefore = true;
    this._reason = this._message = "";
    this._changed();
  }

  // What the server says.

  /** @param {string|ArrayBuffer} message */
  _received(message) {
    this._silentPings = 0;
    if (typeof message !== "string") {
      if (this._phase === "attached") this._output(new Uint8Array(message));
      return;
    }
    let event;
    try {
      event = JSON.parse(message);
    } catch {
      return;
    }
    if (this._phase === "connecting") {
      if (event?.event === "hello") this._hello(event);
      else if (event?.event === "end") this._endEvent(event);
    } else if (this._phase === "attached") {
      this._event(event);
    }
  }

  /** @param {any} hello */
  _hello(hello) {
    if (hello.version !== 1) {
      this._end("version", "");
      return;
    }
    this._cancelTimer();
    this._phase = "attached";
    this._attachedAt = this._clock.now();
    this._silentPings = 0;
    this._refusedSince = null;
    this._reason = this._message = "";
    const asked = this._offset;
    const first = this._resume === null;
    this._resume = hello.resume;
    this._viewer = hello.viewer;
    this._viewers = [];
    this._mode = hello.mode === "rw" ? "rw" : "ro";
    this._title = String(hello.title ?? "");
    this._resizable = hello.resizable === true;
    this._setLine(hello.line);
    this._offset = hello.offset;
    this._live = hello.live;
    if (asked !== null && hello.offset < asked) this._screen.startedAnew();
    else if (asked !== null && hello.offset > asked) this._screen.missed(hello.offset - asked);
    this._resumeInput(first, hello.resumed === true, hello.input);
    this._sendSize();
    this._pump();
    // Not at once: the replay would be measured.
    this._cancelTimer = this._clock.after(FIRST_PING, () => this._ping());
    this._changed();
  }

  /**
   * What was typed before goes on only to the guest that it was meant for: if
   * we were remembered, or if this is the first time that we are here at all.
   *
   * @param {boolean} first
   * @param {boolean} resumed
   * @param {number} input
   */
  _resumeInput(first, resumed, input) {
    if (this._mode === "rw") {
      if (resumed && this._outbox.resume(input)) return;
      if (first) {
        this._outbox.renumber(input);
        return;
      }
    }
    const dropped = this._outbox.clear();
    this._outbox.renumber(input);
    if (dropped) this._screen.undelivered(dropped);
  }

  /** @param {any} event */
  _event(event) {
    switch (event?.event) {
      case "gap":
        this._offset = event.offset;
        this._screen.missed(event.missed);
        break;
      case "counted":
        this._outbox.counted(event.input);
        break;
      case "viewers":
        this._viewers = Array.isArray(event.viewers) ? event.viewers : [];
        this._setAnswering(event.answering === this._viewer);
        break;
      case "line":
        this._setLine(event);
        break;
      case "pong":
        this._roundTrip = Math.max(0, this._clock.now() - event.sent);
        break;
      case "refused":
        this._screen.refused(String(event.message ?? event.what ?? ""));
        break;
      case "end":
        this._endEvent(event);
        return;
      default:
        return;
    }
    this._changed();
  }

  /** @param {any} event */
  _endEvent(event) {
    const reason = String(event.reason ?? "");
    const message = String(event.message ?? "");
    if (event.retry === true) this._retry(reason, message);
    else this._end(reason, message);
  }

  /** @param {any} line */
  _setLine(line) {
    this._line = {
      state: line?.state === "waiting" ? "waiting" : "live",
      message: String(line?.message ?? ""),
    };
  }

  /** @param {boolean} answering */
  _setAnswering(answering) {
    this._answering = answering;
    this._screen.mayAnswer(answering);
  }

  /** @param {Uint8Array} bytes */
  _output(bytes) {
    const offset = this._offset ?? 0;
    const replayed = Math.min(bytes.length, Math.max(0, (this._live ?? 0) - offset));
    this._offset = offset + bytes.length;
    this._pending += bytes.length;
    if (replayed > 0) this._hand(bytes.subarray(0, replayed), true);
    if (replayed < bytes.length) this._hand(bytes.subarray(replayed), false);
    if (this._pending > MOST_PENDING) this._fallBehind();
  }

  /**
   * @param {Uint8Array} bytes
   * @param {boolean} replayed
   */
  _hand(bytes, replayed) {
    this._screen.write(bytes, replayed, (count) => {
      this._pending -= count;
      if (this._phase === "behind" && this._pending <= FEW_PENDING) this._dial();
    });
  }

  // What we say.

  /** @param {object} message */
  _send(message) {
    this._socket?.send(JSON.stringify(message));
  }

  _sendSize() {
    if (this._phase !== "attached" || !this._resizable || !this._size) return;
    this._send({ do: "size", ...this._size });
  }

  /** Sends what was typed, as fast as the socket takes it. */
  _pump() {
    this._cancelPump();
    this._cancelPump = () => {};
    const socket = this._socket;
    if (this._phase !== "attached" || !socket) return;
    while (this._outbox.unsent > 0) {
      if (socket.bufferedAmount > MOST_BUFFERED) {
        this._cancelPump = this._clock.after(PUMP_AGAIN, () => this._pump());
        return;
      }
      socket.send(this._outbox.take(INPUT_MESSAGE));
    }
  }

  _ping() {
    this._cancelTimer();
    if (this._silentPings >= SILENT_PINGS) {
      this._retry("silent");
      return;
    }
    this._silentPings += 1;
    this._send({ do: "ping", sent: this._clock.now() });
    this._cancelTimer = this._clock.after(PING_EVERY, () => this._ping());
  }
}
