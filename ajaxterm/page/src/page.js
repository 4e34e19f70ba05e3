/**
 * The page: puts the terminal, the status bar and the connection together.
 *
 * `window.ajaxterm` lets tests, and the curious, read what is going on:
 *
 * - `text()`: the terminal's text, with what was scrolled away;
 * - `state()`: the connection's state (see connection.js) with `rows` and
 *   `columns`; never the resume key.
 */

import { Bar } from "./bar.js";
import { Connection } from "./connection.js";
import { Feed } from "./feed.js";
import { strings } from "./strings.js";
import { styleThroughScript } from "./styles.js";
import { openTerminal, textOf } from "./terminal.js";

const SIZE_SETTLES = 150;

const now = () => performance.now();
const size = () => ({ rows: terminal.rows, columns: terminal.cols });

/** @param {Uint8Array} bytes */
function type(bytes) {
  switch (connection.type(bytes)) {
    case "read-only":
      bar.readOnly();
      break;
    case "full":
      bar.notice(strings.outboxFull(connection.limit));
      break;
    case "ended":
      bar.notice(strings.ended);
      break;
  }
}

styleThroughScript(document);
const terminal = openTerminal(/** @type {HTMLElement} */ (document.getElementById("terminal")));
const feed = new Feed(terminal, type, (bytes) => connection.answer(bytes));

const bar = new Bar(document, now, {
  reconnect: () => {
    connection.reconnect();
    terminal.focus();
  },
  tellSize: () => {
    // Without Enter: the user sees what it is, and where it goes.
    type(new TextEncoder().encode(`stty rows ${terminal.rows} columns ${terminal.cols}`));
    terminal.focus();
  },
});

const connection = new Connection({
  dial: () => {
    const url = new URL("ws", document.baseURI);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    return new WebSocket(url, ["ajaxterm.v1"]);
  },
  probe: () =>
    fetch(".", { cache: "no-store", redirect: "manual" }).then(
      (response) => response.status,
      () => 0,
    ),
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
    undelivered: (count) => feed.note(strings.undelivered(count)),
    refused: (message) => bar.notice(strings.refused(message)),
  },
  clock: {
    now,
    after: (delay, call) => {
      const timer = window.setTimeout(call, delay);
      return () => window.clearTimeout(timer);
    },
  },
  random: Math.random,
  changed: () => bar.show(connection.state, size()),
});

let settling = 0;
terminal.onResize(() => {
  bar.show(connection.state, size());
  window.clearTimeout(settling);
  settling = window.setTimeout(() => connection.resize(terminal.rows, terminal.cols), SIZE_SETTLES);
});
window.setInterval(() => bar.tick(connection.state), 1_000);
window.addEventListener("online", () => connection.awake());
document.addEventListener("visibilitychange", () => {
  // A hidden tab's timers are late.
  if (!document.hidden) connection.awake();
});

// The terminal takes every other key, Tab among them.
window.addEventListener("keydown", (event) => {
  const inTerminal = terminal.element?.contains(document.activeElement) ?? false;
  if (event.key === "F6" && event.ctrlKey) {
    if (inTerminal) bar.focus();
    else terminal.focus();
    event.preventDefault();
  } else if (event.key === "Escape" && !inTerminal) {
    terminal.focus();
  }
});

/** @type {any} */ (window).ajaxterm = Object.freeze({
  text: () => textOf(terminal),
  state: () => ({ ...connection.state, ...size() }),
});

connection.resize(terminal.rows, terminal.cols);
connection.start();
terminal.focus();
