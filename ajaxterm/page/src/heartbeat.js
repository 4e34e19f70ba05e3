/**
 * Whether the other side still answers, and how long that takes.
 *
 * So many pings in a row with nothing heard, and it is taken for dead. Ticks
 * are counted, not time: a tab that was frozen is not punished.
 */

/** Milliseconds between pings; the first one not at once, or the replay would be measured. */
const EVERY = 5_000;
const FIRST = 1_000;
const MOST_SILENT = 3;

export class Heartbeat {
  /**
   * @param {import("./interfaces.js").Clock} clock
   * @param {(message: object) => void} say
   * @param {() => void} silent called when the other side is taken for dead
   */
  constructor(clock, say, silent) {
    this._clock = clock;
    this._say = say;
    this._silent = silent;
    this._unanswered = 0;
    this._cancel = () => {};
    /** Milliseconds; null while it is not known. @type {number|null} */
    this.roundTrip = null;
  }

  start() {
    this._unanswered = 0;
    this._cancel = this._clock.after(FIRST, () => this._beat());
  }

  stop() {
    this._cancel();
    this._cancel = () => {};
    this.roundTrip = null;
  }

  /** Something was heard. */
  heard() {
    this._unanswered = 0;
  }

  /** @param {number} sent what our ping said */
  pong(sent) {
    this.roundTrip = Math.max(0, this._clock.now() - sent);
  }

  /** After a nap the connection is not trusted: one more silence is enough. */
  doubt() {
    if (this._unanswered >= MOST_SILENT) return;
    this._unanswered = MOST_SILENT - 1;
    this._beat();
  }

  _beat() {
    this._cancel();
    if (this._unanswered >= MOST_SILENT) {
      this._silent();
      return;
    }
    this._unanswered += 1;
    this._say({ do: "ping", sent: this._clock.now() });
    this._cancel = this._clock.after(EVERY, () => this._beat());
  }
}
