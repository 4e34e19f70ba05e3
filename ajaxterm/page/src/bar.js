/**
 * The status bar: says how the console is, in words and signs, not by colour
 * alone.
 */

import { plain } from "./plain.js";
import { strings } from "./strings.js";

/** Milliseconds for which a notice stays. */
const NOTICE_FOR = 4_000;

/** @typedef {import("./connection.js").State} State */

export class Bar {
  /**
   * @param {Document} document
   * @param {() => number} now by the clock of the connection's deadlines
   * @param {{reconnect: () => void, tellSize: () => void}} actions
   */
  constructor(document, now, { reconnect, tellSize }) {
    const find = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
    this._document = document;
    this._now = now;
    this._bar = find("bar");
    this._icon = /** @type {Element} */ (document.querySelector("#state-icon use"));
    this._word = find("state-word");
    this._delay = find("state-delay");
    this._reconnect = find("reconnect");
    this._title = find("title");
    this._held = find("held");
    this._mode = find("mode");
    this._viewers = /** @type {HTMLDetailsElement} */ (find("viewers"));
    this._roundTrip = find("round-trip");
    this._size = /** @type {HTMLButtonElement} */ (find("size"));
    this._log = /** @type {HTMLAnchorElement} */ (find("log"));
    this._detail = find("detail");
    this._notice = find("notice");
    this._noticeTimer = 0;
    this._shownViewers = "";
    this._offersSize = false;

    this._reconnect.addEventListener("click", reconnect);
    this._size.addEventListener("click", tellSize);
    this._held.title = strings.heldHint;
    this._roundTrip.title = strings.roundTripHint;
    this._log.textContent = strings.log;
    this._log.title = strings.logHint;
    // A list that hangs over the terminal goes away like a menu.
    document.addEventListener("pointerdown", (event) => {
      if (!this._viewers.contains(/** @type {Node} */ (event.target))) this._viewers.open = false;
    });
    this._viewers.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this._viewers.open) {
        this._viewers.open = false;
        event.stopPropagation();
      }
    });
  }

  /**
   * @param {State} state
   * @param {{rows: number, columns: number}} size
   */
  show(state, { rows, columns }) {
    this._bar.dataset.state = state.name;
    this._icon.setAttribute("href", `#icon-${state.name}`);
    write(this._word, strings.states[state.name]);
    this.tick(state);

    const tryAgain = state.name === "ended";
    write(this._reconnect, tryAgain ? strings.tryAgain : strings.reconnectNow);
    this._reconnect.hidden = !(tryAgain || state.name === "reconnecting");

    const title = plain(state.title, 100);
    write(this._title, title);
    this._title.title = title;
    this._document.title = strings.documentTitle(title);

    const words = this._words(state);
    write(this._detail, words);
    this._detail.title = words;

    this._held.hidden = state.unsent === 0 || state.name === "connected" || state.name === "waiting";
    write(this._held, strings.held(state.unsent));

    this._mode.hidden = state.mode === null;
    if (state.mode) {
      write(this._mode, strings.modes[state.mode]);
      this._mode.dataset.mode = state.mode;
    }

    this._showViewers(state);

    this._roundTrip.hidden = state.roundTrip === null;
    if (state.roundTrip !== null) write(this._roundTrip, strings.roundTrip(state.roundTrip));

    // Where the server can set the size, nobody needs to type it.
    const canTell = state.mode === "rw" && !state.resizable && state.name === "connected";
    write(this._size, strings.size(rows, columns));
    this._size.disabled = !canTell;
    this._size.title = canTell ? strings.sizeAction(rows, columns) : strings.sizeHint;

    this._log.download = `${title.replace(/[^\p{L}\p{N}._-]+/gu, "-") || "console"}.log`;
  }

  /**
   * Counts down to the next try.
   *
   * @param {State} state
   */
  tick(state) {
    const left = state.deadline === null ? 0 : Math.max(1, Math.ceil((state.deadline - this._now()) / 1000));
    const delay = left > 0 ? strings.inSeconds(left) : strings.atOnce;
    write(this._delay, state.name === "reconnecting" ? delay : "");
  }

  /**
   * Says something for a moment.
   *
   * @param {string} text
   */
  notice(text) {
    this._notice.textContent = text;
    this._notice.hidden = false;
    clearTimeout(this._noticeTimer);
    this._noticeTimer = window.setTimeout(() => {
      this._notice.hidden = true;
    }, NOTICE_FOR);
  }

  readOnly() {
    this.notice(strings.readOnly);
    this._mode.classList.add("flash");
    window.setTimeout(() => this._mode.classList.remove("flash"), 600);
  }

  /** To the first thing in the bar that can be pressed. */
  focus() {
    /** @type {HTMLElement|null} */ (
      this._bar.querySelector(":is(button, summary, a):not([hidden], [hidden] *, :disabled)")
    )?.focus();
  }

  /** @param {State} state */
  _words(state) {
    const message = plain(state.message, 300);
    if (message || state.name === "connected" || state.name === "waiting") return message;
    if (state.name === "behind") return strings.behindDetail;
    return strings.reasons[state.reason] ?? plain(state.reason, 300);
  }

  /** @param {State} state */
  _showViewers(state) {
    const here = state.name === "connected" || state.name === "waiting";
    this._viewers.hidden = !here || state.viewers.length === 0;
    // Rebuilt only when it changes, so that what is focused or read out stays.
    const shown = JSON.stringify([state.viewers, state.viewer]);
    if (shown === this._shownViewers) return;
    this._shownViewers = shown;
    const [summary, list] = /** @type {[HTMLElement, HTMLElement]} */ ([...this._viewers.children]);
    const lines = state.viewers.map(({ name, user, mode }) => {
      const who = plain(String(user || name), 60) + (name === state.viewer ? ` (${strings.you})` : "");
      return [who, strings.viewerMode(mode)];
    });
    summary.textContent = strings.viewers(lines.length);
    summary.title = `${strings.viewersLabel}:\n${lines.map((line) => line.join(", ")).join("\n")}`;
    list.replaceChildren(
      ...lines.map(([who, mode]) => {
        const item = this._document.createElement("li");
        const what = this._document.createElement("span");
        item.textContent = who;
        what.textContent = mode;
        item.append(what);
        return item;
      }),
    );
  }
}

/**
 * Leaves alone what is as it should be: a live region speaks at every write.
 *
 * @param {HTMLElement} element
 * @param {string} text
 */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
