/**
 * Everything that the page says to its user. To translate the page, translate
 * this file.
 */

const numbers = new Intl.NumberFormat("en");

/**
 * @param {number} count
 * @param {string} one
 * @param {string} many
 */
const counted = (count, one, many) => `${numbers.format(count)} ${count === 1 ? one : many}`;

export const strings = {
  language: "en",

  /** @param {string} title */
  documentTitle: (title) => (title ? `${title} – console` : "Console"),
  noScript: "This console needs JavaScript.",
  terminalLabel: "Terminal. Ctrl+F6 goes to the status bar.",
  barLabel: "Status of the console",

  states: {
    connecting: "Connecting",
    connected: "Connected",
    waiting: "Waiting for the guest",
    reconnecting: "Reconnecting",
    behind: "Catching up",
    ended: "Ended",
  },
  /** @param {number} seconds */
  inSeconds: (seconds) => `in ${seconds} s`,
  atOnce: "now …",
  reconnectNow: "Reconnect now",
  tryAgain: "Try again",

  /**
   * Why it is reconnecting or has ended, where the server has no words of its own.
   * @type {Record<string, string>}
   */
  reasons: {
    // Seen by the page.
    unreachable: "The server cannot be reached.",
    lost: "The connection was lost.",
    silent: "The server stopped answering.",
    away: "The server is restarting.",
    full: "Too many viewers.",
    refused: "The server does not let this page in. Its link may have expired: ask for a new one.",
    version: "The server has been updated. Please load this page again.",
    protocol: "The server did not understand this page. Please load it again.",
    // Close codes.
    closed: "The console was closed.",
    revoked: "Access to this console was withdrawn or has expired.",
    // Said by the server as the reason of an end.
    expired: "Access to this console has expired.",
    idle: "The console was idle for too long.",
    exited: "The command has ended.",
  },
  behindDetail: "Output comes faster than this browser can show it.",

  modes: { rw: "Read-write", ro: "Read-only" },
  readOnly: "Read-only: what you type is not sent.",
  /** @param {number} limit in bytes */
  outboxFull: (limit) =>
    `Not typed: at most ${numbers.format(limit / 1024)} KiB may wait for the guest. Wait a moment, or paste less at once.`,
  ended: "The console has ended: what you type goes nowhere.",
  /** @param {number} count */
  held: (count) => `${counted(count, "byte", "bytes")} held`,
  heldHint: "Typed while there was no connection; sent as soon as there is one",
  /** @param {string} message */
  refused: (message) => `The server refused: ${message}`,

  /** @param {number} count */
  viewers: (count) => counted(count, "viewer", "viewers"),
  viewersLabel: "Who is looking at this console",
  you: "you",
  /** @param {string} mode */
  viewerMode: (mode) => (mode === "ro" ? "read-only" : "may type"),
  /** @param {number} milliseconds */
  roundTrip: (milliseconds) => `${milliseconds < 10 ? milliseconds.toFixed(1) : Math.round(milliseconds)} ms`,
  roundTripHint: "Round trip to the server and back",
  /**
   * @param {number} rows
   * @param {number} columns
   */
  size: (rows, columns) => `${rows}×${columns}`,
  sizeHint: "Rows × columns of this terminal",
  /**
   * @param {number} rows
   * @param {number} columns
   */
  sizeAction: (rows, columns) =>
    `Rows × columns of this terminal. A serial line cannot tell the guest: press to type “stty rows ${rows} columns ${columns}”.`,
  log: "Log",
  logHint: "Download what the server remembers of the output",

  // Lines shown in the terminal, between those of the guest.
  /** @param {number} count */
  missed: (count) => `${counted(count, "byte", "bytes")} of output are gone here`,
  startedAnew: "This is a new console; what was shown before has been cleared",
  /** @param {number} count */
  undelivered: (count) => `${counted(count, "byte", "bytes")} typed earlier may not have reached the guest`,

  /** @param {string} address */
  openLink: (address) => `The guest shows a link to\n\n${address}\n\nOpen it in a new tab?`,
};
