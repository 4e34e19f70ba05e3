/**
 * A connection to the server by plain requests, for networks that break
 * WebSockets. It looks to connection.js like that of link_socket.js.
 *
 * One request waits for output and events; what came is acknowledged by the
 * next one (`offset` and `seen`), so an answer that was lost on its way is
 * given again, and none is given twice. Input goes one request at a time, with
 * the number of its first byte; a request whose answer was lost is sent again
 * under the same number, which the server does not type twice.
 */

import { recordsOf } from "./records.js";

/** Seconds that the server may hold a poll. */
const WAIT = 20;
/** Milliseconds until a request without an answer is given up; input is held for 20 s while the line takes none. */
const POLL_WITHIN = 35_000;
const POST_WITHIN = 35_000;
/** Bytes of input in one request. */
const MESSAGE = 64 * 1024;
/** Failures in a row that are borne, and milliseconds from one to the next try. */
const MOST_FAILURES = 3;
const AFTER_FAILURE = 400;
/** There is no polling here. */
export const NO_POLL = 4404;

/** @implements {import("./interfaces.js").Link} */
export class PollLink {
  /**
   * @param {import("./interfaces.js").Post} post
   * @param {import("./interfaces.js").Clock} clock
   * @param {import("./interfaces.js").Listener} listener
   */
  constructor(post, clock, listener) {
    /** @type {"poll"} */
    this.kind = "poll";
    this._post = post;
    this._clock = clock;
    this._listener = listener;
    this._closed = new AbortController();
    /** @type {string|null} */
    this._resume = null;
    /** @type {string|null} */
    this._console = null;
    /** @type {number|null} */
    this._offset = null;
    this._seen = 0;
    this._typing = false;
    /** Messages not sent yet: they keep their order. @type {object[]} */
    this._sayings = [];
    this._saying = false;
    // Not in the caller's constructor.
    clock.after(0, () => this._alive && listener.opened());
  }

  get _alive() {
    return !this._closed.signal.aborted;
  }

  /** @type {import("./interfaces.js").Link["attach"]} */
  attach({ resume, offset, console }) {
    this._resume = resume;
    this._offset = offset;
    this._console = console;
    this._poll();
  }

  /** @param {object} message */
  say(message) {
    this._sayings.push(message);
    if (!this._saying) this._sayAll();
  }

  /** @param {number} most */
  room(most) {
    return this._typing || this._resume === null ? 0 : Math.min(most, MESSAGE);
  }

  /**
   * @param {Uint8Array<ArrayBuffer>} bytes
   * @param {number} at
   */
  async type(bytes, at) {
    this._typing = true;
    const answer = await this._patiently("input", bytes, { "X-Ajaxterm-At": String(at) }, POST_WITHIN);
    if (!answer) return;
    const said = json(answer.body);
    if (answer.status === 200 && Number.isSafeInteger(said?.input)) {
      this._listener.event({ event: "counted", input: said.input, concealing: true });
      // The line did not take all of it in time: the rest once more.
      const taken = Math.max(0, said.input - at);
      if (taken < bytes.length && this._alive) {
        this.type(bytes.subarray(taken), at + taken);
        return;
      }
    } else if (answer.status === 403 && said?.event === "refused") {
      // Refused input is counted as well.
      this._listener.event({ event: "counted", input: said.input, concealing: true });
      this._listener.event(said);
    } else {
      this._end(answer);
      return;
    }
    this._typing = false;
    if (this._alive) this._listener.ready();
  }

  idle() {
    return !this._typing && !this._saying;
  }

  close() {
    this._closed.abort();
  }

  async _poll() {
    while (this._alive) {
      const wanted = { resume: this._resume, offset: this._offset, console: this._console };
      const body = JSON.stringify({ ...wanted, seen: this._seen, wait: this._seen ? WAIT : 0 });
      const answer = await this._patiently("poll", body, { "Content-Type": "application/json" }, POLL_WITHIN);
      if (!answer) return;
      if (answer.status !== 200) {
        this._end(answer);
        return;
      }
      try {
        for (const record of recordsOf(answer.body)) {
          if ("output" in record) this._output(record.output);
          else this._event(record.event);
          if (!this._alive) return;
        }
      } catch {
        // Cut or garbled on the way: what was taken was taken, the rest comes again.
        if (!(await this._pause())) return;
      }
    }
  }

  /** @param {Uint8Array} bytes */
  _output(bytes) {
    this._offset = (this._offset ?? 0) + bytes.length;
    this._listener.output(bytes);
  }

  /** @param {any} event */
  _event(event) {
    if (Number.isSafeInteger(event?.n)) {
      if (event.n <= this._seen) return;
      this._seen = event.n;
    }
    if (event?.event === "hello") {
      this._resume = String(event.resume);
      this._console = event.console ?? null;
      this._offset = event.offset;
    } else if (event?.event === "gap") {
      this._offset = event.offset;
    }
    if (event) this._listener.event(event);
  }

  async _sayAll() {
    this._saying = true;
    for (let next = this._sayings.shift(); next && this._alive; next = this._sayings.shift()) {
      const headers = { "Content-Type": "application/json" };
      const answer = await this._patiently("say", JSON.stringify(next), headers, POST_WITHIN);
      if (!answer) return;
      if (answer.status >= 300) {
        this._end(answer);
        return;
      }
    }
    this._saying = false;
    if (this._alive) this._listener.ready();
  }

  /**
   * Asks until there is an answer, or the link is closed: then null.
   *
   * @param {string} path
   * @param {BodyInit} body
   * @param {Record<string, string>} headers
   * @param {number} within milliseconds
   */
  async _patiently(path, body, headers, within) {
    const all = this._resume === null ? headers : { ...headers, "X-Ajaxterm-Resume": this._resume };
    for (let failures = 0; this._alive; ) {
      const giveUp = new AbortController();
      const stop = () => giveUp.abort();
      this._closed.signal.addEventListener("abort", stop);
      const cancel = this._clock.after(within, stop);
      /** @type {import("./interfaces.js").Answer|null} */
      const answer = await this._post(path, { headers: all, body, signal: giveUp.signal }).catch(() => null);
      cancel();
      this._closed.signal.removeEventListener("abort", stop);
      if (!this._alive) return null;
      // 502 to 504: something on the way has no server just now.
      if (answer && (answer.status < 502 || answer.status > 504)) return answer;
      failures += 1;
      // The first one says whether anything is there at all.
      if (failures >= MOST_FAILURES || this._seen === 0) {
        this.close();
        this._listener.closed(1006, "");
        return null;
      }
      if (!(await this._pause())) return null;
    }
    return null;
  }

  /** @returns {Promise<boolean>} whether the link is still wanted after a while */
  async _pause() {
    await new Promise((resolve) => this._clock.after(AFTER_FAILURE, () => resolve(null)));
    return this._alive;
  }

  /**
   * The server will not have it so.
   *
   * @param {import("./interfaces.js").Answer} answer
   */
  _end({ status, body }) {
    if (!this._alive) return;
    this.close();
    const said = json(body);
    if (said?.event === "end") this._listener.event(said);
    else if (status === 401 || status === 403 || status === 410) this._listener.closed(0, "");
    else if (status === 404 || status === 405 || status === 501) this._listener.closed(NO_POLL, "");
    else this._listener.closed(1006, "");
  }
}

/** @param {Uint8Array} body */
function json(body) {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    return null;
  }
}
