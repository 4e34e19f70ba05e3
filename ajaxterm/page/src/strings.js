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

/** @param {number} count */
const sized = (count) => {
  if (count < 1024) return counted(count, "byte", "bytes");
  if (count < 1024 * 1024) return `${numbers.format(Math.round(count / 1024))} KiB`;
  return `${numbers.format(Math.round((count / 1024 / 1024) * 10) / 10)} MiB`;
};

export const strings = {
  language: "en",

  /** @param {string} title */
  documentTitle: (title) => (title ? `${title} – console` : "Console"),
  noScript: "This console needs JavaScript.",
  terminalLabel: "Terminal. Ctrl+F6 goes to the status bar.",
  barLabel: "Status of the console",
  cancel: "Cancel",
  close: "Close",

  // The bar.
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
    replaced: "An earlier connection of this page came late.",
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
  outboxFull: (limit) => `Not typed: at most ${sized(limit)} may wait for the guest. Wait a moment, or paste less at once.`,
  ended: "The console has ended: what you type goes nowhere.",
  /** @param {number} count */
  held: (count) => `${sized(count)} held`,
  heldHint: "Typed while there was no connection; sent as soon as there is one",
  /** @param {string} message */
  refused: (message) => `The server refused: ${message}`,
  notConnected: "There is no connection just now.",

  recording: "Recorded",
  recordingHint: "What happens on this console is being recorded by the server",
  withoutWebSocket: "Without WebSocket",
  withoutWebSocketHint:
    "The network lets no WebSocket through, so this page asks by plain requests (long-poll). Nothing is lost, but keys take a little longer. A WebSocket is tried again now and then.",
  /** @param {number} count */
  notices: (count) => counted(count, "notice", "notices"),

  /** @param {number|null} count */
  viewers: (count) => (count === 1 ? "viewer" : "viewers"),
  viewersLabel: "Who is looking at this console",
  you: "you",
  /** @param {string} mode */
  viewerMode: (mode) => (mode === "ro" ? "read-only" : "may type"),
  hasKeyboard: "has the keyboard",
  giveKeyboard: "Give keyboard",
  /** @param {number|null} milliseconds */
  roundTrip: (milliseconds) =>
    milliseconds === null ? "– ms" : `${milliseconds < 10 ? milliseconds.toFixed(1) : Math.round(milliseconds)} ms`,
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

  // The keyboard. A name is that of a viewer, as in "ann (v3)".
  keyboard: {
    shared: "Shared",
    yours: "Yours",
    /** @param {string} who */
    theirs: (who) => who,
    sharedHint: "Keyboard: everybody who may type can. Press to take it for yourself.",
    yoursHint: "Keyboard: only you can type. Press to give it back to all.",
    /** @param {string} who */
    theirsHint: (who) => `Keyboard: only ${who} can type. Press to take it.`,
    /** @param {string} who */
    theirsOnly: (who) => `Keyboard: only ${who} can type.`,
    sharedOnly: "Keyboard: everybody who may type can.",
    /** @param {string} who */
    lockedOut: (who) => `${who} has the keyboard: what you type is not sent.`,
    /** @param {string} who */
    taken: (who) => `${who} has taken the keyboard.`,
    takenByYou: "You have the keyboard; the others can watch.",
    /**
     * @param {string} by
     * @param {string} to
     */
    given: (by, to) => `${by} has given the keyboard to ${to}.`,
    /** @param {string} to */
    givenByYou: (to) => `You have given the keyboard to ${to}.`,
    /** @param {string} by */
    givenToYou: (by) => `${by} has given you the keyboard.`,
    /** @param {string} who */
    handed: (who) => `${who} has the keyboard now.`,
    freed: "The keyboard is for all again.",
    freedByYou: "You have given the keyboard back to all.",
    /** @param {string} by */
    freedBy: (by) => `${by} has given the keyboard back to all.`,
    nobody: "Somebody",
  },

  // Cards over the terminal.
  cardsLabel: "Notices",
  endingTitle: "This console will be closed",
  /** @type {Record<string, string>} */
  endings: {
    idle: "Nobody is using it.",
    input: "Nobody has typed for a while.",
    watching: "Nobody who may type is here.",
  },
  /** @param {number} seconds */
  endingIn: (seconds) => `In ${seconds} s`,
  stay: "Stay",
  /** @type {Record<string, {title: string, words: string}>} */
  logouts: {
    trying: { title: "Logging out", words: "Typing end-of-file until a login prompt is seen." },
    out: { title: "Seems logged out", words: "A login prompt was seen." },
    in: { title: "Still logged in", words: "The guest did not answer with a login prompt." },
    unknown: { title: "Perhaps still logged in", words: "No login prompt was seen." },
  },
  pasting: "Pasting",
  /**
   * @param {number} done
   * @param {number} total
   */
  pasted: (done, total) => `${sized(done)} of ${sized(total)}`,
  /** @param {number} pace */
  pacedAt: (pace) => (pace ? `, at ${numbers.format(pace)} bytes per second` : ""),
  pasteHeld: "The guest takes no input just now.",
  heldTitle: "The guest takes no input",
  /** @param {number} count */
  heldWaiting: (count) => `${sized(count)} of what you typed wait for it.`,
  cancelInput: "Cancel input",
  /** @param {number} count */
  cancelled: (count) => `${sized(count)} will not be typed.`,

  // The menu.
  menu: "Menu",
  menuText: "Text",
  menuView: "View",
  menuGuest: "Guest",
  menuConsole: "Console",
  copy: "Copy",
  paste: "Paste …",
  select: "Select text …",
  find: "Find …",
  fontSize: "Text size",
  smaller: "Smaller text",
  larger: "Larger text",
  theme: "Colours",
  themes: { system: "System", dark: "Dark", light: "Light" },
  keyRow: "Row of keys",
  screenReader: "Screen reader mode",
  fullScreen: "Full screen",
  pace: "Paste speed",
  paces: [0, 10_000, 2_000, 960, 200],
  /** @param {number} pace */
  paceName: (pace) => (pace ? `${numbers.format(pace)} bytes/s` : "As fast as it goes"),
  paceHint: "For guests that drop characters",
  tellSize: "Tell the guest my size",
  sendBreak: "Send BREAK",
  sysrq: "Magic SysRq",
  send: "Send",
  /** @type {Record<string, string>} */
  sysrqs: {
    h: "h – help",
    s: "s – sync disks",
    u: "u – remount read-only",
    r: "r – keyboard from raw mode",
    w: "w – blocked tasks",
    t: "t – all tasks",
    m: "m – memory",
    l: "l – backtraces",
    e: "e – terminate all tasks",
    i: "i – kill all tasks",
    f: "f – out-of-memory killer",
    c: "c – crash",
    b: "b – reboot at once",
    o: "o – power off",
  },
  sysrqDangerous: "eifcbo",
  /** @param {string} key */
  sysrqSure: (key) => `Send SysRq “${key}” to the guest? It acts at once, without asking.`,
  log: "Download the log",
  logHint: "Download what the server remembers of the output",
  endSession: "End session …",
  endSessionTitle: "End this session?",
  endSessionWords: "The guest is logged out where that is set up, and the console closes for everybody who is looking at it.",
  endSessionDo: "End session",

  // Copying, pasting, searching, links.
  copied: "Copied.",
  nothingSelected: "Nothing is selected.",
  copyFailed: "The browser does not allow copying here.",
  pasteTitle: "Paste into the console",
  pasteHere: "Text to type into the guest",
  pasteDo: "Paste",
  /**
   * @param {number} lines
   * @param {number} length in bytes
   */
  pasteAmount: (lines, length) => `${counted(lines, "line", "lines")}, ${sized(length)}.`,
  pasteEnters: "Each line ends with Enter: a shell runs it at once.",
  /** @param {number} controls */
  pasteControls: (controls) => `${counted(controls, "control character", "control characters")} left out.`,
  /** @param {number} shown */
  pastePreview: (shown) => `Only the beginning is shown here (${sized(shown)}).`,
  pasteAgain: "Don’t ask again in this tab",
  selectTitle: "Text of the terminal",
  copyAll: "Copy all",
  searchLabel: "Find in the terminal",
  searchNext: "Next",
  searchPrevious: "Previous",
  searchCase: "Match case",
  searchRegex: "Regular expression",
  /**
   * @param {number} index
   * @param {number} count
   */
  searchCount: (index, count) =>
    count === 0 ? "Not found" : index < 0 ? `${numbers.format(count)}+ found` : `${index + 1} of ${numbers.format(count)}`,
  searchBad: "No expression",
  openLinkTitle: "Open this link?",
  openLinkWords: "The guest shows a link to this address. It will be opened in a new tab.",
  openLinkDo: "Open",
  /** @param {string} address */
  linkHint: (address) => `${address} – Ctrl+click opens it`,

  // The row of keys.
  keysLabel: "Keys",
  /** @type {Record<string, string>} what a screen reader says, where a face does not do */
  keyNames: {
    ctrl: "Ctrl, for the next key",
    up: "Up",
    down: "Down",
    left: "Left",
    right: "Right",
    pipe: "| (vertical bar)",
    tilde: "~ (tilde)",
    slash: "/ (slash)",
    dash: "- (dash)",
    paste: "Paste",
  },

  // Lines shown in the terminal, between those of the guest.
  /** @param {number} count */
  missed: (count) => `${counted(count, "byte", "bytes")} of output are gone here`,
  startedAnew: "This is a new console; what was shown before has been cleared",
  /** @param {number} count */
  undelivered: (count) => `${counted(count, "byte", "bytes")} typed earlier may not have reached the guest`,
};
