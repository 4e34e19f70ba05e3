/**
 * What was typed, on its way to the guest.
 *
 * Every byte has a number. A byte is kept until the server says that it has
 * counted it, so that what a broken connection swallowed can be sent again,
 * once, and nothing is typed twice. What was sent and is then cancelled keeps
 * its numbers, and is not sent again. The room is bounded: what doesn't fit is
 * refused as a whole, never cut.
 */

export class Outbox {
  /** @param {number} limit how many bytes are kept at the most */
  constructor(limit = 256 * 1024) {
    this.limit = limit;
    this._bytes = new Uint8Array(limit);
    this._length = 0;
    /** Number of the first byte kept. */
    this._first = 0;
    /** Number of the byte to send next. */
    this._next = 0;
    /** Number of the first byte that was never sent, on no connection. */
    this._fresh = 0;
    /** What is below this number was cancelled. */
    this._wanted = 0;
  }

  /** Bytes kept: sent but not counted, and not sent. */
  get length() {
    return this._length;
  }

  /** Bytes not sent on this connection. */
  get unsent() {
    return this.end - this._next;
  }

  /** Number of the byte to send next. */
  get next() {
    return this._next;
  }

  /** Number of the first byte that the server has not counted. */
  get first() {
    return this._first;
  }

  /** Number of the byte behind all. */
  get end() {
    return this._first + this._length;
  }

  /** Whether the server has yet to count what was cancelled. */
  get cancelling() {
    return this._wanted > this._first;
  }

  /**
   * @param {Uint8Array} bytes
   * @returns {boolean} false if they don't fit; then none of them is kept
   */
  add(bytes) {
    if (this._length + bytes.length > this.limit) return false;
    this._bytes.set(bytes, this._length);
    this._length += bytes.length;
    return true;
  }

  /**
   * The same, before all that was not sent yet.
   *
   * @param {Uint8Array} bytes
   */
  addFirst(bytes) {
    if (this._length + bytes.length > this.limit) return false;
    const start = this._next - this._first;
    this._bytes.copyWithin(start + bytes.length, start, this._length);
    this._bytes.set(bytes, start);
    this._length += bytes.length;
    return true;
  }

  /**
   * @param {number} most
   * @returns {Uint8Array<ArrayBuffer>} the bytes to send next, from now on taken as sent
   */
  take(most) {
    const start = this._next - this._first;
    const taken = this._bytes.slice(start, Math.min(start + most, this._length));
    this._next += taken.length;
    this._fresh = Math.max(this._fresh, this._next);
    return taken;
  }

  /**
   * The server has counted so many bytes: they needn't be kept.
   *
   * @param {number} input
   */
  counted(input) {
    const gone = Math.min(input, this._next) - this._first;
    if (!(gone > 0)) return;
    this._bytes.copyWithin(0, gone, this._length);
    this._length -= gone;
    this._first += gone;
  }

  /** @returns {number} how many bytes that were not sent yet were thrown away */
  dropUnsent() {
    const dropped = this.unsent;
    this._length -= dropped;
    this._fresh = this._next;
    return dropped;
  }

  /**
   * Nothing that is kept is to be typed. What was ever sent may still be on its
   * way, also on a connection that is gone: its numbers are taken.
   *
   * @returns {number} how many bytes that were never sent were thrown away
   */
  cancel() {
    this._next = this._wanted = this._fresh;
    return this.dropUnsent();
  }

  /**
   * A new connection goes on where the server stopped counting: what is above,
   * and was not cancelled, is to be sent again.
   *
   * @param {number} input
   * @returns {boolean} false if that number can't be, since it was never sent
   *   or was forgotten; then nothing has changed
   */
  resume(input) {
    if (!(input >= this._first && input <= this._fresh)) return false;
    this._next = this._fresh;
    this.counted(input);
    this._next = Math.max(this._first, this._wanted);
    return true;
  }

  /**
   * Another count begins: what is kept gets new numbers and counts as unsent.
   *
   * @param {number} input number of the first byte that will be sent
   */
  renumber(input) {
    this._first = this._next = this._fresh = this._wanted = input;
  }

  /** @returns {number} how many bytes were thrown away, without those cancelled earlier */
  clear() {
    const dropped = this.end - Math.max(this._first, this._wanted);
    this._length = 0;
    this._next = this._fresh = this._wanted = this._first;
    return dropped;
  }
}
