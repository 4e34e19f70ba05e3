/**
 * What was typed, from one connection to the next: to whom it still may go,
 * and as fast as the link takes it.
 */

import { Outbox } from "./outbox.js";

export class Input {
  /**
   * @param {import("./way.js").Way} way
   * @param {import("./interfaces.js").Screen} screen
   */
  constructor(way, screen) {
    this._way = way;
    this._screen = screen;
    this._outbox = new Outbox();
  }

  /** How many bytes that the server has not counted may wait here. */
  get limit() {
    return this._outbox.limit;
  }

  /** Bytes not sent on this connection. */
  get unsent() {
    return this._outbox.unsent;
  }

  /** Bytes that the server has not counted. */
  get uncounted() {
    return this._outbox.length;
  }

  /**
   * @param {Uint8Array} bytes
   * @returns {boolean} false if they don't fit; then none of them is kept
   */
  add(bytes) {
    return this._outbox.add(bytes);
  }

  /**
   * A connection is there. What was typed before goes on only to the guest that
   * it was meant for: if we were remembered, or if this is the first time that
   * we are here at all.
   *
   * @param {object} how
   * @param {boolean} how.mayType
   * @param {boolean} how.first
   * @param {boolean} how.resumed
   * @param {number} how.input how many bytes the server has counted
   */
  begin({ mayType, first, resumed, input }) {
    if (mayType && resumed && this._outbox.resume(input)) {
      if (this._outbox.cancelling) this._sayCancel();
      return;
    }
    const dropped = mayType && first ? 0 : this._outbox.clear();
    this._outbox.renumber(input);
    if (dropped) this._screen.undelivered(dropped);
  }

  /** Sends what the link takes. */
  pump() {
    while (this._outbox.unsent > 0 && !this._outbox.cancelling) {
      const room = this._way.room(this._outbox.unsent);
      if (room === 0) return;
      const at = this._outbox.next;
      this._way.type(this._outbox.take(room), at);
    }
  }

  /** @param {{input: number, dropped?: number}} counted as the server says it */
  counted({ input, dropped = 0 }) {
    const wasCancelling = this._outbox.cancelling;
    this._outbox.counted(input);
    if (dropped > 0) this._screen.cancelled(dropped);
    if (wasCancelling) this.pump();
  }

  /**
   * What was typed so far is not to be, as far as it is not too late; what is
   * typed from now on is.
   *
   * @param {boolean} isAttached else the server hears of it from the next connection
   * @returns {number} how many bytes the server will not tell of, since it never saw them
   */
  cancel(isAttached) {
    const dropped = this._outbox.cancel();
    if (isAttached) this._sayCancel();
    return dropped;
  }

  /** What was not sent yet is not to be. */
  dropUnsent() {
    return this._outbox.dropUnsent();
  }

  /**
   * The console has ended.
   *
   * @param {boolean} wasAttached then what was sent has probably arrived, counted or not
   */
  end(wasAttached) {
    const { unsent } = this._outbox;
    const uncounted = this._outbox.clear();
    const dropped = wasAttached ? unsent : uncounted;
    if (dropped) this._screen.undelivered(dropped);
  }

  _sayCancel() {
    this._way.say({ do: "cancel_input", below: this._outbox.next });
  }
}
