/**
 * Where among what was typed a paste in brackets is.
 *
 * A program that asked for it (DECSET 2004) takes all that follows the opening
 * bracket for text, Enter and Ctrl-C too, until the closing one comes. If that
 * was dropped, another one has to be typed; but not if the program never had
 * the opening one, for then it would be text itself.
 */

const OPENING = "\x1b[200~";
const CLOSING = "\x1b[201~";
export const closing = () => new TextEncoder().encode(CLOSING);
const latin1 = new TextDecoder("latin1");

export class Brackets {
  constructor() {
    this.forget();
  }

  /** Whether there is a paste that the server has not counted whole. */
  get any() {
    return this._opened !== null;
  }

  forget() {
    /** Number of the byte behind the opening bracket. @type {number|null} */
    this._opened = null;
    /** The same of the closing one. @type {number|null} */
    this._closed = null;
    /** The last bytes, among which a bracket may have begun. */
    this._tail = "";
  }

  /**
   * Pastes that follow each other are taken for one.
   *
   * @param {Uint8Array} bytes
   * @param {number} end number of the byte behind them
   */
  typed(bytes, end) {
    const text = this._tail + latin1.decode(bytes);
    const begin = end - text.length;
    const opens = text.lastIndexOf(OPENING);
    const closes = text.lastIndexOf(CLOSING);
    if (opens >= 0) {
      this._opened ??= begin + text.indexOf(OPENING) + OPENING.length;
      this._closed = null;
    }
    if (closes > opens && this._opened !== null) this._closed = begin + closes + CLOSING.length;
    this._tail = text.slice(1 - OPENING.length);
  }

  /** @param {number} input the server has counted so far, and dropped nothing */
  counted(input) {
    if (this._closed !== null && input >= this._closed) this._opened = this._closed = null;
  }

  /** @param {number} cut number of the first byte that was dropped, with all that followed */
  isOpenAt(cut) {
    return this._opened !== null && this._opened <= cut && (this._closed === null || this._closed > cut);
  }

  /**
   * A closing bracket was put before all that these have seen.
   *
   * @param {Brackets} cut which it closes
   * @param {number} end number of the byte behind it
   */
  follow(cut, end) {
    if (!this.any) this._closed = end;
    else if (this._closed !== null) this._closed += CLOSING.length;
    this._opened = cut._opened;
  }
}
