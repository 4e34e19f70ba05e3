/**
 * What was typed, from one connection to the next: to whom it still may go,
 * and as fast as the link takes it.
 *
 * When it is cancelled, what is typed next waits until the server has said how
 * much of it was typed: if that ends within the brackets of a paste, they are
 * closed first.
 */

import { Brackets, closing } from "./brackets.js";
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
    this._brackets = new Brackets();
    /** Those of what was cancelled, until the server has said what became of it. @type {Brackets|null} */
    this._cut = null;
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
    if (!this._outbox.add(bytes)) return false;
    this._brackets.typed(bytes, this._outbox.end);
    return true;
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
    const known = this._outbox.first;
    if (mayType && resumed && this._outbox.resume(input)) {
      if (this._outbox.cancelling) this._sayCancel();
      // How much of it was dropped was said to nobody.
      else if (this._cut) this._settle(known);
      else this._brackets.counted(input);
      return;
    }
    this._forgetBrackets();
    this._cut = null;
    const dropped = mayType && first ? 0 : this._outbox.clear();
    this._outbox.renumber(input);
    if (dropped) this._screen.undelivered(dropped);
  }

  /** Sends what the link takes. */
  pump() {
    while (this._outbox.unsent > 0 && !this._cut) {
      const room = this._way.room(this._outbox.unsent);
      if (room === 0) return;
      const at = this._outbox.next;
      this._way.type(this._outbox.take(room), at);
    }
  }

  /** @param {import("./interfaces.js").Counted} counted */
  counted({ input, dropped = 0, concealing = false }) {
    this._outbox.counted(input);
    if (dropped > 0) this._screen.cancelled(dropped);
    if (this._cut && !this._outbox.cancelling) {
      if (concealing && this._cut.any) return;
      this._settle(input - dropped);
      this.pump();
    } else if (dropped > 0) {
      this._forgetBrackets();
    } else {
      this._brackets.counted(input);
    }
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
    this._cut ??= this._brackets;
    this._brackets = new Brackets();
    if (isAttached) this._sayCancel();
    if (!this._outbox.cancelling) this._settle(this._outbox.first);
    if (isAttached) this.pump();
    return dropped;
  }

  /** What was not sent yet is not to be. */
  dropUnsent() {
    this._forgetBrackets();
    return this._outbox.dropUnsent();
  }

  /**
   * The console has ended.
   *
   * @param {boolean} wasAttached then what was sent has probably arrived, counted or not
   */
  end(wasAttached) {
    this._forgetBrackets();
    const { unsent } = this._outbox;
    const uncounted = this._outbox.clear();
    const dropped = wasAttached ? unsent : uncounted;
    if (dropped) this._screen.undelivered(dropped);
  }

  /** @param {number} cut number of the first byte that was cancelled in time */
  _settle(cut) {
    const cutBrackets = this._cut;
    this._cut = null;
    const bytes = closing();
    if (cutBrackets?.isOpenAt(cut) && this._outbox.addFirst(bytes)) {
      this._brackets.follow(cutBrackets, this._outbox.next + bytes.length);
    }
  }

  _forgetBrackets() {
    this._brackets.forget();
    this._cut?.forget();
  }

  _sayCancel() {
    this._way.say({ do: "cancel_input", below: this._outbox.next });
  }
}
