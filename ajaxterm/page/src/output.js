/**
 * The guest's output on its way to the screen: at which offset it is, which of
 * it is replay, and how much the screen has yet to parse.
 */

/** Bytes waiting in the screen at which no more are wanted, and at which they are again. */
const MOST_PENDING = 16 * 1024 * 1024;
const FEW_PENDING = 1024 * 1024;

export class Output {
  /**
   * @param {import("./interfaces.js").Screen} screen
   * @param {() => void} caughtUp called whenever the screen has little to parse
   */
  constructor(screen, caughtUp) {
    this._screen = screen;
    this._caughtUp = caughtUp;
    /** Of the next byte; null before the first hello. @type {number|null} */
    this.offset = null;
    /** What is below is replay. @type {number|null} */
    this.live = null;
    /** Bytes handed to the screen and not parsed. */
    this.pending = 0;
  }

  /**
   * Another connection begins; what is not joined to the output before is said so.
   *
   * @param {number} offset of the first byte that will come
   * @param {number} live
   * @param {boolean} isNew whether it is known to be another console
   */
  begin(offset, live, isNew) {
    const asked = this.offset;
    this.offset = offset;
    this.live = live;
    if (asked === null) return;
    if (isNew || offset < asked) this._screen.startedAnew();
    else if (offset > asked) this._screen.missed(offset - asked);
  }

  /**
   * @param {number} missed bytes that are gone
   * @param {number} offset where it goes on
   */
  gap(missed, offset) {
    this.offset = offset;
    this._screen.missed(missed);
  }

  /**
   * @param {Uint8Array} bytes
   * @returns {boolean} whether more is wanted now
   */
  take(bytes) {
    const offset = this.offset ?? 0;
    const replayed = Math.min(bytes.length, Math.max(0, (this.live ?? 0) - offset));
    this.offset = offset + bytes.length;
    this.pending += bytes.length;
    if (replayed > 0) this._hand(bytes.subarray(0, replayed), true);
    if (replayed < bytes.length) this._hand(bytes.subarray(replayed), false);
    return this.pending <= MOST_PENDING;
  }

  /**
   * @param {Uint8Array} bytes
   * @param {boolean} replayed
   */
  _hand(bytes, replayed) {
    this._screen.write(bytes, replayed, (count) => {
      this.pending -= count;
      if (this.pending <= FEW_PENDING) this._caughtUp();
    });
  }
}
