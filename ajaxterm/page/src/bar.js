/**
 * The status bar: says how the console is, in words and signs, not by colour
 * alone. What comes and goes in it has its place all the time.
 */

import { byId, write } from "./dom.js";
import { keyboardOf } from "./keyboard.js";
import { plain } from "./plain.js";
import { strings } from "./strings.js";
import { Viewers } from "./viewers.js";

/** Milliseconds for which words stay. */
const SAID_FOR = 5_000;

/** @typedef {import("./interfaces.js").State} State */

export class Bar {
  /**
   * @param {() => number} now by the clock of the connection's deadlines
   * @param {object} actions
   * @param {() => void} actions.reconnect
   * @param {() => void} actions.tellSize
   * @param {() => void} actions.keyboard take it, or give it back
   * @param {(name: string) => void} actions.giveKeyboard
   * @param {() => void} actions.recall notices that were put away
   */
  constructor(now, { reconnect, tellSize, keyboard, giveKeyboard, recall }) {
    this._now = now;
    this._bar = byId("bar");
    this._icon = /** @type {Element} */ (document.querySelector("#state-icon use"));
    this._word = byId("state-word");
    this._delay = byId("state-delay");
    this._reconnect = byId("reconnect");
    this._title = byId("title");
    this._held = byId("held");
    this._recording = byId("recording");
    this._notices = byId("notices");
    this._mode = byId("mode");
    this._keyboard = /** @type {HTMLButtonElement} */ (byId("keyboard"));
    this._keyboardFace = /** @type {HTMLElement} */ (this._keyboard.querySelector("span"));
    this._viewers = new Viewers(/** @type {HTMLDetailsElement} */ (byId("viewers")), giveKeyboard);
    this._way = byId("way");
    this._roundTrip = byId("round-trip");
    this._size = /** @type {HTMLButtonElement} */ (byId("size"));
    this._detail = byId("detail");
    this._said = byId("notice");
    this._saidTimer = 0;

    this._reconnect.addEventListener("click", reconnect);
    this._size.addEventListener("click", tellSize);
    this._keyboard.addEventListener("click", keyboard);
    this._notices.addEventListener("click", recall);
    this._held.title = strings.heldHint;
    this._roundTrip.title = strings.roundTripHint;
    write(this._recording, strings.recording);
    this._recording.title = strings.recordingHint;
    write(this._way, strings.withoutWebSocket);
    this._way.title = strings.withoutWebSocketHint;
  }

  /**
   * @param {State} state
   * @param {{rows: number, columns: number}} size
   * @param {number} putAway notices
   */
  show(state, { rows, columns }, putAway) {
    this._bar.dataset.state = state.name;
    this._icon.setAttribute("href", `#icon-${state.name}`);
    write(this._word, strings.states[state.name]);
    this._tick(state);

    const tryAgain = state.name === "ended";
    write(this._reconnect, tryAgain ? strings.tryAgain : strings.reconnectNow);
    this._reconnect.hidden = !(tryAgain || state.name === "reconnecting");

    const title = plain(state.title, 100);
    write(this._title, title);
    this._title.title = title;
    document.title = strings.documentTitle(title);

    const words = this._words(state);
    write(this._detail, words);
    this._detail.title = words;

    this._held.hidden = state.unsent === 0 || state.name === "connected" || state.name === "waiting";
    write(this._held, strings.held(state.unsent));
    this._recording.hidden = !state.recording || state.name === "ended";
    this._notices.hidden = putAway === 0;
    write(this._notices, strings.notices(putAway));

    this._mode.hidden = state.mode === null;
    if (state.mode) {
      write(this._mode, strings.modes[state.mode]);
      this._mode.dataset.mode = state.mode;
    }
    this._showKeyboard(state);
    this._viewers.show(state);
    this._way.hidden = state.way !== "poll" || state.name === "ended";
    write(this._roundTrip, strings.roundTrip(state.roundTrip));

    // Where the server can set the size, nobody needs to type it.
    const canTell = canTellSize(state);
    write(this._size, strings.size(rows, columns));
    this._size.disabled = !canTell;
    this._size.title = canTell ? strings.sizeAction(rows, columns) : strings.sizeHint;
  }

  /**
   * Counts down to the next try.
   *
   * @param {State} state
   */
  _tick(state) {
    const left = state.deadline === null ? 0 : Math.max(1, Math.ceil((state.deadline - this._now()) / 1000));
    const delay = left > 0 ? strings.inSeconds(left) : strings.atOnce;
    write(this._delay, state.name === "reconnecting" ? delay : "");
  }

  /**
   * Says something for a moment.
   *
   * @param {string} text
   */
  say(text) {
    this._said.textContent = text;
    this._said.hidden = false;
    clearTimeout(this._saidTimer);
    this._saidTimer = window.setTimeout(() => {
      this._said.hidden = true;
    }, SAID_FOR);
  }

  readOnly() {
    this.say(strings.readOnly);
    this._flash(this._mode);
  }

  /** @param {string} words */
  lockedOut(words) {
    this.say(words);
    this._flash(this._keyboard);
  }

  /** To the first thing in the bar that can be pressed. */
  focus() {
    /** @type {HTMLElement|null} */ (
      this._bar.querySelector(":is(button, summary, a):not([hidden], [hidden] *, :disabled)")
    )?.focus();
  }

  /** @param {HTMLElement} element */
  _flash(element) {
    element.classList.add("flash");
    window.setTimeout(() => element.classList.remove("flash"), 600);
  }

  /** @param {State} state */
  _showKeyboard(state) {
    const { holding, face, hint, canChange } = keyboardOf(state);
    this._keyboard.dataset.holding = holding;
    this._keyboard.disabled = !canChange;
    this._keyboard.title = hint;
    this._keyboard.setAttribute("aria-label", `${face} – ${hint}`);
    this._keyboard.setAttribute("aria-pressed", String(holding === "yours"));
    write(this._keyboardFace, face);
  }

  /** @param {State} state */
  _words(state) {
    const message = plain(state.message, 300);
    if (message || state.name === "connected" || state.name === "waiting") return message;
    if (state.name === "behind") return strings.behindDetail;
    return strings.reasons[state.reason] ?? plain(state.reason, 300);
  }
}

/** @param {State} state */
export const canTellSize = (state) => state.mode === "rw" && !state.resizable && state.name === "connected";
