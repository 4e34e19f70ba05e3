/**
 * How long to wait before trying again: twice as long each time, up to a
 * limit, and never all viewers at the same moment.
 */

export class Backoff {
  /**
   * @param {() => number} random from 0 to 1
   * @param {number} first milliseconds before the first try, at the least
   * @param {number} most milliseconds before any try
   */
  constructor(random, first = 500, most = 15_000) {
    this._random = random;
    this._first = first;
    this._most = most;
    this._tries = 0;
  }

  /** How many delays were given since the last reset. */
  get tries() {
    return this._tries;
  }

  /** @returns {number} milliseconds, anywhere in the upper half of the step */
  next() {
    const step = Math.min(this._most, 2 * this._first * 2 ** Math.min(this._tries, 30));
    this._tries += 1;
    return (step / 2) * (1 + this._random());
  }

  reset() {
    this._tries = 0;
  }
}
