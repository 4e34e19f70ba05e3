/**
 * Whether a server that refuses to let us in is to be believed. A proxy that
 * was just restarted refuses grants that it is yet to hear of, so only
 * refusals over a while count.
 */

/** Milliseconds. */
const BELIEVED_AFTER = 10_000;

export class Refusals {
  /** @param {() => number} now milliseconds */
  constructor(now) {
    this._now = now;
    /** @type {number|null} */
    this._since = null;
  }

  /** We were let in, or begin anew. */
  forget() {
    this._since = null;
  }

  /**
   * @param {number} status of a plain request, or 0
   * @returns {"no"|"doubted"|"believed"} whether it is a refusal
   */
  judge(status) {
    if (status !== 401 && status !== 403 && status !== 410) {
      this._since = null;
      return "no";
    }
    this._since ??= this._now();
    return this._now() - this._since >= BELIEVED_AFTER ? "believed" : "doubted";
  }
}
