/**
 * A viewer's side of the protocol `ajaxterm.v1`, without any DOM.
 *
 * Its life:
 *
 *     connecting -> attached           hello has come
 *     connecting -> retrying           refused, broken, or no hello in time
 *     attached   -> retrying           broken, silent, or ended with leave to retry
 *     attached   -> connecting         by plain requests so far, and a WebSocket has come up
 *     attached   -> behind             the screen can't follow: 16 MiB wait for it
 *     behind     -> connecting         the screen has caught up
 *     retrying   -> connecting         the delay is over, the user impatient, or the network back
 *     any        -> ended              the server said so; only the user tries again
 *     ended      -> connecting         the user tries again
 *
 * Output has offsets, input has numbers (docs/protocol.md). The offset goes up
 * only by what was handed to the screen, so a later connection asks for
 * exactly what is missing. How bytes travel is way.js's affair, where output is
 * output.js's, and what the server says about the console is kept in facts.js.
 */

import { Backoff } from "./backoff.js";
import { EARLY } from "./choice.js";
import { changedBy, factsOf, nothingKnown } from "./facts.js";
import { Heartbeat } from "./heartbeat.js";
import { Input } from "./input.js";
import { Output } from "./output.js";
import { Refusals } from "./refusals.js";
import { Way } from "./way.js";

/** Milliseconds from opening a link to its `hello`. */
const HELLO_WITHIN = 15_000;
/**
 * What the server calls it when a connection with our key came after this one.
 * Nobody else has the key, so that was an earlier one of ours, held up on its
 * way: no end, but a reason to connect again.
 */
const REPLACED = "replaced";
/** Close codes after which trying again can't help, and what to call them. */
const FINAL = new Map([
  [1000, "closed"],
  [1002, "protocol"],
  [1003, "protocol"],
  [1007, "protocol"],
  [1009, "protocol"],
  [4003, "revoked"],
]);

export class Connection {
  /**
   * @param {object} parts
   * @param {() => WebSocket} parts.dial opens a socket
   * @param {import("./interfaces.js").Post} parts.post sends a request
   * @param {() => Promise<number>} parts.probe asks over HTTP: a status, or 0
   * @param {import("./interfaces.js").Screen} parts.screen
   * @param {import("./interfaces.js").Clock} parts.clock
   * @param {() => number} parts.random from 0 to 1
   * @param {() => void} parts.changed called when `state` has changed
   */
  constructor({ dial, post, probe, screen, clock, random, changed }) {
    this._probe = probe;
    this._screen = screen;
    this._clock = clock;
    this._changed = changed;
    this._backoff = new Backoff(random);
    this._refusals = new Refusals(() => clock.now());
    this._output = new Output(screen, () => {
      if (this._phase === "behind") this._dial();
    });
    this._heartbeat = new Heartbeat(
      clock,
      (ping) => this._way.say(ping),
      () => this._retry("silent"),
    );
    this._way = new Way(
      { dial, post, clock },
      {
        opened: () => this._attach(),
        event: (event) => this._received(event),
        output: (bytes) => this._outputCame(bytes),
        ready: () => this._input.pump(),
        closed: (code, reason) => this._closed(code, reason),
      },
      () => this._switched(),
    );
    this._input = new Input(this._way, screen);

    /** @type {"connecting"|"attached"|"retrying"|"behind"|"ended"} */
    this._phase = "connecting";
    this._changingWay = false;
    this._failedBefore = false;
    this._reason = "";
    this._message = "";
    /** @type {number|null} */
    this._deadline = null;
    this._attachedAt = 0;
    /** Cancels the timer of the phase: for hello, or the next try. */
    this._cancelTimer = () => {};

    /** @type {string|null} */
    this._resume = null;
    /** Which session the offset belongs to. @type {string|null} */
    this._console = null;
    /** @type {{rows: number, columns: number}|null} */
    this._size = null;
    this._facts = nothingKnown();
    /** Whom the server has named to answer. @type {unknown} */
    this._named = null;
    this._answering = false;
  }

  /** @returns {import("./interfaces.js").State} */
  get state() {
    /** @type {import("./interfaces.js").State["name"]} */
    let name;
    let message = this._message;
    if (this._phase === "attached" || this._changingWay) {
      name = this._facts.line.state === "waiting" ? "waiting" : "connected";
      message = this._facts.line.message;
    } else if (this._phase === "connecting") {
      name = this._failedBefore ? "reconnecting" : "connecting";
    } else {
      name = this._phase === "retrying" ? "reconnecting" : this._phase;
    }
    return {
      ...this._facts,
      name,
      reason: this._reason,
      message,
      deadline: this._deadline,
      way: this._way.kind,
      answering: this._answering,
      roundTrip: this._heartbeat.roundTrip,
      offset: this._output.offset,
      live: this._output.live,
      pending: this._output.pending,
      unsent: this._input.unsent,
      uncounted: this._input.uncounted,
    };
  }

  // What the page calls.

  start() {
    this._dial();
  }

  /** The user says: now; or anew, if a try takes long. */
  reconnect() {
    if (this._phase === "attached" || this._phase === "behind") return;
    this._refusals.forget();
    this._dial();
  }

  /**
   * The network or the user has come back: no reason to wait any longer, nor
   * to trust a connection that was left alone. An end stays an end.
   */
  awake() {
    if (this._phase === "retrying") {
      this._dial();
    } else if (this._phase === "attached") {
      this._heartbeat.doubt();
    }
  }

  /**
   * @param {Uint8Array} bytes what the user has typed or pasted
   * @returns {"taken"|"read-only"|"full"|"ended"} what became of all of it
   */
  type(bytes) {
    if (this._phase === "ended") return "ended";
    if (this._facts.mode === "ro") return "read-only";
    if (!this._input.add(bytes)) return "full";
    if (this._phase === "attached") this._input.pump();
    else this._changed();
    return "taken";
  }

  /**
   * What the terminal says by itself. Without a connection it is dropped:
   * nobody will be waiting for it any more.
   *
   * @param {Uint8Array} bytes
   */
  answer(bytes) {
    if (this._phase === "attached" && this._facts.mode === "rw" && this._input.add(bytes)) this._input.pump();
  }

  /** What was typed and has not reached the guest is not to. */
  cancelInput() {
    const dropped = this._input.cancel(this._phase === "attached");
    if (dropped) this._screen.cancelled(dropped);
    this._changed();
  }

  /**
   * Asks the server to do something. Without a connection nothing is asked:
   * what was meant for now is not to happen later.
   *
   * @param {{do: string, [field: string]: unknown}} wish
   * @returns {boolean} whether it was asked
   */
  ask(wish) {
    if (this._phase !== "attached") return false;
    this._way.say(wish);
    return true;
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
    this._changed();
    try {
      this._way.open();
    } catch {
      this._refused();
      return;
    }
    this._waitForHello();
  }

  _waitForHello() {
    this._cancelTimer = this._clock.after(HELLO_WITHIN, () => {
      this._way.mute();
      this._retry("unreachable");
    });
  }

  _attach() {
    this._way.attach({ resume: this._resume, offset: this._output.offset, console: this._console });
  }

  /** From plain requests to a WebSocket; for the user nothing has changed. */
  _switched() {
    this._letGo();
    this._phase = "connecting";
    this._changingWay = true;
    this._waitForHello();
  }

  _hangUp() {
    this._letGo();
    this._way.close();
  }

  _letGo() {
    this._cancelTimer();
    this._cancelTimer = () => {};
    this._changingWay = false;
    this._heartbeat.stop();
    this._setAnswering(false);
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  _closed(code, reason) {
    const final = FINAL.get(code);
    if (code === 1000 && reason === REPLACED) this._retry(REPLACED);
    else if (final) this._end(final, reason);
    else if (code === 4029) this._retry("full", reason);
    else if (code === 1001) this._retry("away", reason);
    else if (code === 0) this._refused();
    else {
      this._way.broke(this._lived());
      this._retry("lost");
    }
  }

  /** Not even opened. A browser won't say why; a plain request might. */
  _refused() {
    const wasSocket = this._way.kind === "websocket";
    this._retry("unreachable");
    const deadline = this._deadline;
    this._probe().then((status) => {
      // Unless somebody tried again meanwhile.
      if (this._phase !== "retrying" || this._deadline !== deadline) return;
      const refusal = this._refusals.judge(status);
      if (refusal === "believed") {
        this._end("refused", "");
      } else if (refusal === "doubted") {
        this._reason = "refused";
        this._changed();
      } else if (status === 200 && wasSocket && this._way.blocked()) {
        this._dial();
      }
    });
  }

  /**
   * @param {string} reason
   * @param {string} message
   */
  _retry(reason, message = "") {
    this._way.lived(this._lived());
    if (this._lived() >= EARLY) this._backoff.reset();
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
    const wasAttached = this._phase === "attached";
    this._hangUp();
    this._phase = "ended";
    this._failedBefore = true;
    this._reason = reason;
    this._message = message;
    this._deadline = null;
    this._facts = { ...this._facts, ending: null, held: false };
    this._input.end(wasAttached);
    this._changed();
  }

  _fallBehind() {
    this._hangUp();
    this._phase = "behind";
    this._failedBefore = true;
    this._reason = this._message = "";
    this._changed();
  }

  /** Milliseconds since hello. */
  _lived() {
    return this._phase === "attached" ? this._clock.now() - this._attachedAt : 0;
  }

  // What the server says.

  /** @param {any} event */
  _received(event) {
    this._heartbeat.heard();
    if (this._phase === "connecting") {
      if (event.event === "hello") this._hello(event);
      else if (event.event === "end") this._endEvent(event);
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
    this._changingWay = false;
    this._attachedAt = this._clock.now();
    this._refusals.forget();
    this._reason = this._message = "";
    const first = this._resume === null;
    const isNew = this._console !== null && (hello.console ?? null) !== this._console;
    this._resume = hello.resume;
    this._console = hello.console ?? null;
    this._facts = factsOf(hello, this._clock.now());
    this._output.begin(hello.offset, hello.live, isNew);
    const mayType = this._facts.mode === "rw";
    this._input.begin({ mayType, first, resumed: !isNew && hello.resumed === true, input: hello.input });
    this._sendSize();
    this._input.pump();
    this._heartbeat.start();
    this._way.attached();
    this._changed();
  }

  /** @param {any} event */
  _event(event) {
    this._facts = changedBy(this._facts, event, this._clock.now());
    switch (event.event) {
      case "gap":
        this._output.gap(event.missed, event.offset);
        break;
      case "counted":
        this._input.counted(event);
        break;
      case "viewers":
        this._named = event.answering;
        this._setAnswering(this._isToAnswer());
        break;
      case "keyboard":
        this._setAnswering(this._isToAnswer());
        this._screen.keyboard(this._facts.keyboard, typeof event.by === "string" ? event.by : null);
        break;
      case "pong":
        this._heartbeat.pong(event.sent);
        break;
      case "refused":
        // It was counted, as dropped; what would follow it is not wanted either.
        if (event.what === "input") this._input.dropUnsent();
        this._screen.refused(String(event.what ?? ""), String(event.message ?? ""));
        break;
      case "end":
        this._endEvent(event);
        return;
    }
    this._changed();
  }

  /** @param {any} event */
  _endEvent(event) {
    const reason = String(event.reason ?? "");
    const message = String(event.message ?? "");
    if (event.retry === true || reason === REPLACED) this._retry(reason, message);
    else this._end(reason, message);
  }

  /** Whoever has the keyboard alone answers; another's answers would be refused. */
  _isToAnswer() {
    const { keyboard, viewer } = this._facts;
    return viewer !== null && (keyboard ?? this._named) === viewer;
  }

  /** @param {boolean} answering */
  _setAnswering(answering) {
    this._answering = answering;
    this._screen.mayAnswer(answering);
  }

  /** @param {Uint8Array} bytes */
  _outputCame(bytes) {
    this._heartbeat.heard();
    // The screen can't follow, and a browser can't pause a link.
    if (this._phase === "attached" && !this._output.take(bytes)) this._fallBehind();
  }

  // What we say.

  _sendSize() {
    if (this._phase === "attached" && this._facts.resizable && this._size) {
      this._way.say({ do: "size", ...this._size });
    }
  }
}
