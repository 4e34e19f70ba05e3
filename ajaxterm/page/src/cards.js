/**
 * What lasts longer than a word and matters more than a sign: cards that lie
 * over the terminal's corner, so that its size stays.
 *
 * `cardsOf` says which there are; `Cards` shows them, and changes only what
 * has changed, since they are read out.
 */

import { button, element, iconButton, write } from "./dom.js";
import { plain } from "./plain.js";
import { strings } from "./strings.js";

/** Bytes of a paste, or of what waits for the guest, that are worth a card. */
const WORTH = 4 * 1024;
/** Milliseconds for which a logout that went well is shown. */
const LOGOUT_FOR = 15_000;

/**
 * @typedef {object} Card
 * @property {string} key
 * @property {"quiet"|"busy"|"bad"|"good"} kind
 * @property {string} title
 * @property {string} words
 * @property {string} [ticking] what changes by the second, and is not read out
 * @property {{done: number, total: number}} [progress]
 * @property {{text: string, press: () => void}} [action]
 * @property {() => void} [dismiss]
 */

/**
 * @param {import("./interfaces.js").State} state
 * @param {import("./typing.js").Progress|null} progress
 * @param {number} now
 * @param {{stay: () => void, cancel: () => void, dismiss: (key: string) => void}} actions
 * @returns {Card[]}
 */
export function cardsOf(state, progress, now, { stay, cancel, dismiss }) {
  /** @type {Card[]} */
  const cards = [];
  const isHere = state.name === "connected" || state.name === "waiting";
  if (isHere && state.ending) {
    cards.push({
      key: "ending",
      kind: "busy",
      title: strings.endingTitle,
      words: plain(state.ending.message, 300) || (strings.endings[state.ending.reason] ?? ""),
      ticking: strings.endingIn(Math.max(0, Math.ceil((state.ending.deadline - now) / 1000))),
      action: { text: strings.stay, press: stay },
    });
  }
  const waits = isHere && (state.held || state.uncounted > WORTH) && state.uncounted > 0;
  if (progress && (progress.total > WORTH || progress.pace > 0)) {
    cards.push({
      key: "paste",
      kind: "quiet",
      title: strings.pasting,
      words: state.held ? strings.pasteHeld : "",
      ticking: strings.pasted(progress.done, progress.total) + strings.pacedAt(progress.pace),
      progress,
      action: { text: strings.cancel, press: cancel },
    });
  } else if (waits && state.held) {
    cards.push({
      key: "held",
      kind: "busy",
      title: strings.heldTitle,
      words: "",
      ticking: strings.heldWaiting(state.uncounted),
      action: { text: strings.cancelInput, press: cancel },
    });
  }
  const logout = state.logout && strings.logouts[state.logout.state];
  if (state.logout && logout) {
    cards.push({
      key: `logout ${state.logout.state}`,
      kind: state.logout.state === "out" ? "good" : state.logout.state === "trying" ? "quiet" : "bad",
      title: state.logout.message ? "" : logout.title,
      words: plain(state.logout.message, 300) || logout.words,
    });
  }
  if (isHere) {
    for (const { name, message } of state.notices) {
      cards.push({ key: `notice ${name} ${message}`, kind: "busy", title: "", words: plain(message, 500) });
    }
  }
  return cards.map((card) => (card.action ? card : { ...card, dismiss: () => dismiss(card.key) }));
}

export class Cards {
  /**
   * @param {HTMLElement} place
   * @param {() => void} closed something of it is gone that had the focus
   */
  constructor(place, closed) {
    this._place = place;
    this._closed = closed;
    /** @type {Map<string, ReturnType<typeof make>>} */
    this._shown = new Map();
    /** @type {Set<string>} */
    this._dismissed = new Set();
    place.setAttribute("aria-label", strings.cardsLabel);
  }

  /**
   * Keeps out of the way of the line that is typed in: cards lie at the other
   * end of the terminal. They move seldom: somebody may be about to press one.
   *
   * @param {number} cursor where it is, from 0 at the top to 1
   * @param {boolean} topIsTaken
   */
  keepOff(cursor, topIsTaken) {
    if (topIsTaken || cursor < 0.4) this._place.dataset.at = "bottom";
    else if (cursor > 0.6 || !this._place.dataset.at) this._place.dataset.at = "top";
  }

  /** @param {string} key */
  dismiss(key) {
    this._dismissed.add(key);
  }

  recall() {
    this._dismissed.clear();
  }

  /**
   * @param {Card[]} cards
   * @returns {number} how many there are that the user has put away
   */
  show(cards) {
    const keys = new Set(cards.map(({ key }) => key));
    // A card that comes again is another one.
    for (const key of this._dismissed) if (!keys.has(key)) this._dismissed.delete(key);
    for (const [key, parts] of this._shown) {
      if (keys.has(key) && !this._dismissed.has(key)) continue;
      const hadFocus = parts.card.contains(document.activeElement);
      parts.card.remove();
      window.clearTimeout(parts.timer);
      this._shown.delete(key);
      if (hadFocus) this._closed();
    }
    for (const card of cards) {
      if (this._dismissed.has(card.key)) continue;
      let parts = this._shown.get(card.key);
      if (!parts) {
        parts = make(card);
        if (card.kind === "good" && card.dismiss) parts.timer = window.setTimeout(card.dismiss, LOGOUT_FOR);
        this._shown.set(card.key, parts);
        this._place.append(parts.card);
      }
      update(parts, card);
    }
    return cards.filter(({ key }) => key.startsWith("notice") && this._dismissed.has(key)).length;
  }
}

/** @param {Card} card */
function make(card) {
  const parts = {
    card: element("section", { className: "card" }),
    title: element("h2"),
    words: element("p"),
    ticking: element("p", { className: "ticking", "aria-hidden": "true" }),
    bar: element("progress", { "aria-label": card.title }),
    timer: 0,
  };
  parts.card.dataset.kind = card.kind;
  parts.card.append(parts.title, parts.words, parts.ticking, parts.bar);
  if (card.action) parts.card.append(button(card.action.text, card.action.press, { className: "main" }));
  if (card.dismiss) parts.card.append(iconButton("close", strings.close, card.dismiss));
  return parts;
}

/**
 * @param {ReturnType<typeof make>} parts
 * @param {Card} card
 */
function update(parts, { title, words, ticking = "", progress }) {
  for (const [part, text] of /** @type {[HTMLElement, string][]} */ ([
    [parts.title, title],
    [parts.words, words],
    [parts.ticking, ticking],
  ])) {
    write(part, text);
    part.hidden = text === "";
  }
  parts.bar.hidden = !progress;
  if (progress) {
    parts.bar.max = progress.total;
    parts.bar.value = progress.done;
  }
}
