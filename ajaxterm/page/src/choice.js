/**
 * Which way to take to the server: a WebSocket, or plain requests where the
 * network breaks WebSockets.
 *
 * A WebSocket that does not come up while plain requests are answered, or that
 * opens and stays mute, decides it at once; one that breaks early (without a
 * goodbye) does when it happens twice in a row. From then on a WebSocket is
 * tried beside the plain requests, ever less often.
 */

/** Broken within so many milliseconds is early; a connection that lived longer was a good one. */
export const EARLY = 10_000;
/** Early breaks in a row that decide. */
const MOST_EARLY = 2;
/** Milliseconds until a WebSocket is tried again: at first, and at most. */
const FIRST_TRIAL = 30_000;
const LAST_TRIAL = 600_000;

export class Choice {
  /** @param {() => number} now milliseconds */
  constructor(now) {
    this._now = now;
    this._early = 0;
    this._trial = FIRST_TRIAL;
    /** When a WebSocket may be tried again; null while there is nothing against it. @type {number|null} */
    this._again = null;
    this._canPoll = true;
    this._hasPolled = false;
  }

  /** @returns {"websocket"|"poll"} */
  get kind() {
    return this._again !== null && this._now() < this._again ? "poll" : "websocket";
  }

  /** Milliseconds until a WebSocket is to be tried beside the plain requests. */
  get trialIn() {
    return Math.max(0, (this._again ?? 0) - this._now());
  }

  /** WebSockets do not work here, as far as one can tell. */
  blocked() {
    if (!this._canPoll) return;
    this._early = 0;
    this._again = this._now() + this._trial;
    this._trial = Math.min(LAST_TRIAL, this._trial * 2);
  }

  /** A WebSocket that had said hello broke early. */
  brokeEarly() {
    this._early += 1;
    if (this._early >= MOST_EARLY) this.blocked();
  }

  /** A WebSocket has lived for a while. */
  worked() {
    this._early = 0;
    this._again = null;
    this._trial = FIRST_TRIAL;
  }

  /** A poll was answered. */
  polled() {
    this._hasPolled = true;
  }

  /** This server answers no polls; or, if it did before, something on the way has answered instead. */
  noPoll() {
    if (this._hasPolled) return;
    this._canPoll = false;
    this._again = null;
  }
}
