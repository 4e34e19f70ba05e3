/**
 * The page: puts the terminal, the bar, the cards, the menu and the connection
 * together.
 *
 * `window.ajaxterm` lets tests, and the curious, read what is going on:
 *
 * - `text()`: the terminal's text, with what was scrolled away;
 * - `state()`: the connection's state (see interfaces.js) with `rows`,
 *   `columns` and the `progress` of a paste; never the resume key.
 */

import { Bar } from "./bar.js";
import { httpPost, httpProbe, openSocket, windowClock } from "./browser.js";
import { Cards, cardsOf } from "./cards.js";
import { Clipboard } from "./clipboard.js";
import { Connection } from "./connection.js";
import { byId } from "./dom.js";
import { isLockedOut } from "./facts.js";
import { Feed } from "./feed.js";
import { changeOfHands, lockedOutBy, wishOf } from "./keyboard.js";
import { KeyRow } from "./keys.js";
import { findLinks } from "./links.js";
import { Menu } from "./menu.js";
import { plain } from "./plain.js";
import { Preferences, nextFontSize } from "./preferences.js";
import { Search } from "./search.js";
import { shortcutOf } from "./shortcuts.js";
import { strings } from "./strings.js";
import { styleThroughScript } from "./styles.js";
import { openTerminal, textOf } from "./terminal.js";
import { Theme } from "./theme.js";
import { scrollByTouch } from "./touch.js";
import { Typing } from "./typing.js";

const SIZE_SETTLES = 150;
/** Milliseconds in which one thing that happens is told in parts. */
const AT_ONCE = 2_000;

const clock = windowClock;
const size = () => ({ rows: terminal.rows, columns: terminal.cols });
const focus = () => terminal.focus();
/** As a key of the terminal: it scrolls down, and is the user's. @param {string} text */
const press = (text) => terminal.input(text, true);

styleThroughScript(document);
const preferences = new Preferences(() => window.localStorage);
const { terminal, setFontSize, setColours } = openTerminal(byId("terminal"), (event) => shortcutOf(event) !== null);
const feed = new Feed(
  terminal,
  (bytes) => mayType() && typing.type(keyRow.withCtrl(bytes)),
  (bytes) => connection.answer(bytes),
);

// What is typed.

/** @returns {boolean} false if it goes nowhere now, and the user has been told why */
function mayType() {
  const words = lockedOutBy(connection.state);
  if (words) bar.lockedOut(words);
  return !words;
}

/** @param {{do: string, [field: string]: unknown}} wish */
function ask(wish) {
  if (!connection.ask(wish)) bar.say(strings.notConnected);
}

function tellSize() {
  // Without Enter: the user sees what it is, and where it goes.
  if (mayType()) typing.type(new TextEncoder().encode(`stty rows ${terminal.rows} columns ${terminal.cols}`));
  focus();
}

let refusedAt = -Infinity;
const notTyped = { count: 0, since: -Infinity };

/** @param {number} count bytes that won't be typed: we had some of them, the server others */
function cancelled(count) {
  const now = clock.now();
  if (now - notTyped.since > AT_ONCE) Object.assign(notTyped, { count: 0, since: now });
  notTyped.count += count;
  // Unless why has just been said.
  if (now - refusedAt > AT_ONCE && notTyped.count > 0) bar.say(strings.cancelled(notTyped.count));
}

const connection = new Connection({
  dial: openSocket,
  post: httpPost,
  probe: httpProbe,
  screen: {
    write: (bytes, replayed, parsed) => feed.write(bytes, replayed, parsed),
    mayAnswer: (may) => {
      feed.answering = may;
    },
    startedAnew: () => {
      feed.clear();
      feed.note(strings.startedAnew);
    },
    missed: (count) => feed.note(strings.missed(count)),
    undelivered: (count) => feed.note(strings.undelivered(count + typing.drop())),
    cancelled,
    refused: (what, message) => {
      refusedAt = clock.now();
      if (what === "input") typing.drop();
      bar.say(what === "input" && message ? plain(message, 300) : strings.refused(plain(message || what, 300)));
    },
    keyboard: (holder, by) => bar.say(changeOfHands(connection.state, holder, by)),
  },
  clock,
  random: Math.random,
  changed: () => show(),
});

const typing = new Typing({
  connection,
  clock,
  refused: (why) => {
    if (why === "read-only") bar.readOnly();
    else bar.say(why === "full" ? strings.outboxFull(typing.limit) : strings.ended);
  },
  changed: () => show(),
});

// What is shown.

const bar = new Bar(clock.now, {
  reconnect: () => {
    connection.reconnect();
    focus();
  },
  tellSize,
  keyboard: () => {
    ask(wishOf(connection.state));
    focus();
  },
  giveKeyboard: (name) => {
    ask({ do: "give_keyboard", to: name });
    focus();
  },
  recall: () => {
    cards.recall();
    show();
  },
});
const cards = new Cards(byId("cards"), focus);
const keyRow = new KeyRow(byId("keys"), {
  press,
  application: () => terminal.modes.applicationCursorKeysMode,
  paste: () => clipboard.paste(),
});
const clipboard = new Clipboard({
  terminal,
  paste: (bytes) => typing.paste(bytes, preferences.liking.pace),
  mayPaste: () => {
    if (connection.state.mode === "ro") bar.readOnly();
    return connection.state.mode !== "ro" && mayType();
  },
  text: () => textOf(terminal),
  say: (words) => bar.say(words),
  preferences,
});
const isTouch = window.matchMedia("(pointer: coarse)");
const hasKeyRow = () => preferences.liking.keyRow ?? isTouch.matches;
const menu = new Menu(preferences, {
  copy: () => {
    clipboard.copy();
    focus();
  },
  paste: () => clipboard.paste(),
  select: () => clipboard.select(),
  find: () => search.open(),
  tellSize,
  ask,
  fontSize: () => Number(terminal.options.fontSize),
  keyRow: hasKeyRow,
  focus,
});
const search = new Search(terminal, byId("stage"), () => isLight);
findLinks(terminal, byId("link-hint"));
scrollByTouch(terminal, press);

let isLight = false;
let isDimmed = false;
const colour = () => setColours(isLight, isDimmed);

new Theme(document.documentElement, preferences, (light) => {
  isLight = light;
  colour();
});

function show() {
  typing.look();
  const { state } = connection;
  const shown = cardsOf(state, typing.progress, clock.now(), {
    stay: () => ask({ do: "stay" }),
    cancel: () => {
      cancelled(typing.drop());
      connection.cancelInput();
    },
    dismiss: (key) => {
      cards.dismiss(key);
      show();
    },
  });
  const { active } = terminal.buffer;
  cards.keepOff((active.baseY + active.cursorY - active.viewportY) / terminal.rows, search.isOpen);
  bar.show(state, size(), cards.show(shown));
  menu.show(state);
  const locked = isLockedOut(state);
  byId("terminal").classList.toggle("dimmed", locked);
  if (locked !== isDimmed) {
    isDimmed = locked;
    colour();
  }
}

preferences.follow(({ fontSize, screenReader }) => {
  setFontSize(fontSize);
  terminal.options.screenReaderMode = screenReader;
  keyRow.show(hasKeyRow());
});

// What the browser says.

let settling = 0;
terminal.onResize(() => {
  show();
  window.clearTimeout(settling);
  settling = window.setTimeout(() => connection.resize(terminal.rows, terminal.cols), SIZE_SETTLES);
});
window.setInterval(() => {
  show();
}, 1_000);
window.addEventListener("online", () => connection.awake());
document.addEventListener("visibilitychange", () => {
  // A hidden tab's timers are late.
  if (!document.hidden) connection.awake();
});

window.addEventListener("keydown", (event) => {
  const inTerminal = terminal.element?.contains(document.activeElement) ?? false;
  const shortcut = shortcutOf(event);
  if (shortcut === "bar") {
    if (inTerminal) bar.focus();
    else focus();
  } else if (shortcut === "find") {
    search.open();
  } else if (shortcut === "copy" && inTerminal) {
    clipboard.copy();
  } else if (shortcut === "larger" || shortcut === "smaller") {
    const direction = shortcut === "larger" ? 1 : -1;
    preferences.change({ fontSize: nextFontSize(Number(terminal.options.fontSize), direction) });
  } else {
    // Pasting is the browser's, and comes as an event of its own.
    if (event.key === "Escape" && !inTerminal && !document.querySelector(":popover-open")) focus();
    return;
  }
  event.preventDefault();
});

/** @type {any} */ (window).ajaxterm = Object.freeze({
  text: () => textOf(terminal),
  state: () => ({ ...connection.state, ...size(), progress: typing.progress }),
});

connection.resize(terminal.rows, terminal.cols);
connection.start();
focus();
