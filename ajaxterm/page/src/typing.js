/**
 * From the user's fingers and clipboard to the connection, which keeps little.
 *
 * A key goes at once. A paste waits here and goes on as the connection has
 * room, or at a pace, for guests that drop characters; what is typed meanwhile
 * waits behind it, so that the guest gets everything in the order of the user.
 */

/** Bytes that may wait here; what doesn't fit is refused as a whole. */
const MOST = 4 * 1024 * 1024;
/** Bytes of a paste that may wait in the connection, which has to have room for more. */
const AHEAD = 64 * 1024;
/** Milliseconds from one portion of a paced paste to the next, and of looking for room. */
const PORTION_EVERY = 50;

/**
 * @typedef {object} Progress
 * @property {number} done bytes that the server has counted
 * @property {number} total bytes
 * @property {number} pace bytes per second; 0 for as fast as can be
 */

export class Typing {
  /**
   * @param {object} parts
   * @param {import("./connection.js").Connection} parts.connection
   * @param {import("./interfaces.js").Clock} parts.clock
   * @param {(why: "read-only"|"full"|"ended") => void} parts.refused
   * @param {() => void} parts.changed called when `progress` has changed
   */
  constructor({ connection, clock, refused, changed }) {
    this._connection = connection;
    this._clock = clock;
    this._refused = refused;
    this._changed = changed;
    /** @type {{bytes: Uint8Array, pace: number}[]} */
    this._waiting = [];
    this._left = 0;
    this._total = 0;
    this._cancelTimer = () => {};
    this._pumping = false;
  }

  get limit() {
    return MOST;
  }

  /** @returns {Progress|null} null when no paste is under way */
  get progress() {
    if (this._total === 0) return null;
    const done = Math.max(0, this._total - this._left - this._connection.state.uncounted);
    return { done, total: this._total, pace: this._waiting[0]?.pace ?? 0 };
  }

  /** @param {Uint8Array} bytes */
  type(bytes) {
    if (this._left > 0) {
      this._queue(bytes, 0);
      return;
    }
    const became = this._connection.type(bytes);
    if (became !== "taken") this._refused(became);
  }

  /**
   * @param {Uint8Array} bytes
   * @param {number} pace bytes per second; 0 for as fast as can be
   */
  paste(bytes, pace = 0) {
    if (bytes.length === 0 || !this._queue(bytes, pace)) return;
    this._pump();
  }

  /** @returns {number} how many bytes were not handed on */
  drop() {
    const dropped = this._left;
    this._cancelTimer();
    this._waiting = [];
    this._left = this._total = 0;
    return dropped;
  }

  /** To be called when the connection has changed: there may be room, or a paste may be over. */
  look() {
    if (this._total === 0 || this._pumping) return;
    if (this._left === 0 && this._connection.state.uncounted === 0) this._total = 0;
  }

  /**
   * @param {Uint8Array} bytes
   * @param {number} pace
   */
  _queue(bytes, pace) {
    if (this._left + bytes.length > MOST) {
      this._refused("full");
      return false;
    }
    this._waiting.push({ bytes, pace });
    this._left += bytes.length;
    this._total += bytes.length;
    return true;
  }

  _pump() {
    this._cancelTimer();
    this._pumping = true;
    let portion = this._portion();
    while (portion > 0) {
      const [first] = this._waiting;
      const became = this._connection.type(first.bytes.subarray(0, portion));
      if (became !== "taken") {
        this.drop();
        this._refused(became);
        break;
      }
      this._left -= portion;
      first.bytes = first.bytes.subarray(portion);
      if (first.bytes.length === 0) this._waiting.shift();
      portion = first.pace > 0 ? 0 : this._portion();
    }
    this._pumping = false;
    if (this._left > 0) this._cancelTimer = this._clock.after(PORTION_EVERY, () => this._pump());
    this.look();
    this._changed();
  }

  /** How many bytes may go now. */
  _portion() {
    const [first] = this._waiting;
    if (!first) return 0;
    const { uncounted } = this._connection.state;
    if (first.pace === 0) return Math.max(0, Math.min(first.bytes.length, AHEAD - uncounted));
    const portion = Math.max(1, Math.round((first.pace * PORTION_EVERY) / 1000));
    // A pace that is held up somewhere is not made up for.
    return uncounted > Math.max(64, first.pace) ? 0 : Math.min(first.bytes.length, portion);
  }
}

/**
 * Text as a terminal types it: lines end with Enter; and control characters,
 * which could do what nobody saw in the text, stay out. Between the brackets
 * of a program that asked for them (DECSET 2004) it can take them for text.
 *
 * @param {string} text
 * @param {boolean} bracketed
 */
export function typeable(text, bracketed) {
  const lines = text.replace(/\r\n?|\n/g, "\r");
  // eslint-disable-next-line no-control-regex
  const clean = lines.replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/g, "");
  return {
    bytes: new TextEncoder().encode(bracketed ? `\x1b[200~${clean}\x1b[201~` : clean),
    lines: clean.replace(/\r$/, "").split("\r").length,
    endsLine: clean.includes("\r"),
    controls: lines.length - clean.length,
  };
}
