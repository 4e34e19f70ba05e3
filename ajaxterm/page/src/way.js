/**
 * The way to the server: at most one link at a time, of the kind that
 * choice.js says; and while that is plain requests, now and then a WebSocket
 * tried beside it, which takes over when it comes up.
 *
 * It takes over only when nothing is under way by plain requests: a late one
 * must not type what the WebSocket has sent again, and no wish is to be lost.
 */

import { Choice, EARLY } from "./choice.js";
import { NO_POLL, PollLink } from "./link_poll.js";
import { SocketLink } from "./link_socket.js";

export class Way {
  /**
   * @param {object} parts
   * @param {() => WebSocket} parts.dial opens a socket
   * @param {import("./interfaces.js").Post} parts.post sends a request
   * @param {import("./interfaces.js").Clock} parts.clock
   * @param {import("./interfaces.js").Listener} listener
   * @param {() => void} switched a WebSocket has taken over; `opened` follows
   */
  constructor({ dial, post, clock }, listener, switched) {
    this._dial = dial;
    this._post = post;
    this._clock = clock;
    this._listener = listener;
    this._switched = switched;
    this._choice = new Choice(() => clock.now());
    /** @type {import("./interfaces.js").Link|null} */
    this._link = null;
    /** @type {import("./interfaces.js").Link|null} */
    this._trial = null;
    this._trialOpened = false;
    this._cancelTrial = () => {};
  }

  /** @returns {"websocket"|"poll"} of the link there is, or else of the next */
  get kind() {
    return this._link?.kind ?? this._choice.kind;
  }

  open() {
    this.close();
    this._link = this._open(this._choice.kind);
  }

  /** Lets go of the link: nothing that it still delivers counts. */
  close() {
    this._cancelTrial();
    this._cancelTrial = () => {};
    this._trial?.close();
    this._link?.close();
    this._trial = this._link = null;
    this._trialOpened = false;
  }

  /** @type {import("./interfaces.js").Link["attach"]} */
  attach(attach) {
    this._link?.attach(attach);
  }

  /** @param {object} message */
  say(message) {
    this._link?.say(message);
  }

  /** @param {number} most */
  room(most) {
    return this._link && !this._trialOpened ? this._link.room(most) : 0;
  }

  /**
   * @param {Uint8Array<ArrayBuffer>} bytes
   * @param {number} at
   */
  type(bytes, at) {
    this._link?.type(bytes, at);
  }

  // What became of the link, as far as only its user can tell.

  /** It has said hello. */
  attached() {
    if (this._link?.kind !== "poll") return;
    this._choice.polled();
    this._scheduleTrial();
  }

  /** It opened, and no hello came. */
  mute() {
    if (this._link?.kind === "websocket") this._choice.blocked();
  }

  /** @param {number} lived milliseconds since hello, when it was let go; 0 without one */
  lived(lived) {
    if (this._link?.kind === "websocket" && lived >= EARLY) this._choice.worked();
  }

  /**
   * A WebSocket did not come up, and a plain request was answered.
   *
   * @returns {boolean} whether the next link is of another kind
   */
  blocked() {
    this._choice.blocked();
    return this._choice.kind === "poll";
  }

  /** @param {number} lived milliseconds since hello, when it broke without a goodbye */
  broke(lived) {
    if (this._link?.kind === "websocket" && lived < EARLY) this._choice.brokeEarly();
  }

  /** @param {"websocket"|"poll"} kind */
  _open(kind) {
    /** @type {import("./interfaces.js").Link} */
    let link;
    const isOurs = () => link === this._link;
    const { opened, event, output, ready, closed } = this._listener;
    /** @type {import("./interfaces.js").Listener} */
    const listener = {
      opened: () => (isOurs() ? opened() : this._trialOpens(link)),
      event: (said) => isOurs() && event(said),
      output: (bytes) => isOurs() && output(bytes),
      ready: () => isOurs() && !this._adoptTrial() && ready(),
      closed: (code, reason) => {
        if (!isOurs()) {
          this._trialFails(link);
          return;
        }
        if (code === NO_POLL) this._choice.noPoll();
        closed(code, reason);
      },
    };
    link =
      kind === "poll"
        ? new PollLink(this._post, this._clock, listener)
        : new SocketLink(this._dial(), this._clock, listener);
    return link;
  }

  _scheduleTrial() {
    this._cancelTrial = this._clock.after(this._choice.trialIn, () => {
      try {
        this._trial = this._open("websocket");
      } catch {
        this._trialFails(this._trial);
      }
    });
  }

  /** @param {import("./interfaces.js").Link|null} link */
  _trialFails(link) {
    if (link !== this._trial) return;
    this._trial = null;
    this._trialOpened = false;
    this._choice.blocked();
    this._scheduleTrial();
    this._listener.ready();
  }

  /** @param {import("./interfaces.js").Link} link */
  _trialOpens(link) {
    if (link !== this._trial) return;
    this._trialOpened = true;
    this._adoptTrial();
  }

  /** @returns {boolean} whether the link is to be used no more */
  _adoptTrial() {
    const trial = this._trial;
    if (!trial || !this._trialOpened) return false;
    if (!this._link?.idle()) return true;
    this._trial = null;
    this.close();
    this._link = trial;
    this._switched();
    this._listener.opened();
    return true;
  }
}
