/**
 * Feeds a terminal, and tells its user's keys from its own answers.
 *
 * Programs ask terminals questions (DA, DSR, DECRQM, DECRQSS, OSC 4 and 10 to
 * 12, XTVERSION ...), and the terminal types the answers by itself. Bytes that
 * are only replayed must not be answered, since nobody is waiting, and the
 * answer would be typed at whoever sits there now. Where several viewers look
 * at one guest, only one of their terminals answers.
 *
 * xterm.js has one event, `onData`, for keys and answers. Its core announces
 * keys, pastes and mouse reports by `onUserInput` directly before, in the same
 * call; what comes without it, the terminal has said by itself. That covers
 * every question that it knows or will know, and drops no key. The price is
 * one private name, which test/feed.test.js guards.
 */

const encoder = new TextEncoder();

/** White on deep blue, whatever the theme. */
const NOTE_COLOURS = "\x1b[0;38;2;255;255;255;48;2;38;79;120m";

/** Bytes parsed in one go; then the browser may draw. */
const PIECE = 64 * 1024;

export class Feed {
  /**
   * @param {import("@xterm/xterm").Terminal} terminal
   * @param {(bytes: Uint8Array) => void} typed takes what the user has typed
   * @param {(bytes: Uint8Array) => void} answered takes what the terminal says by itself
   */
  constructor(terminal, typed, answered) {
    this._terminal = terminal;
    /** Whether this terminal is the one that answers. */
    this.answering = false;
    /**
     * For every piece not parsed yet, whether it may be answered. The first
     * one is the piece being parsed: its callback comes before the next piece.
     * @type {boolean[]}
     */
    this._answerable = [];
    let byUser = false;
    const core = /** @type {any} */ (terminal)._core;
    core.coreService.onUserInput(() => {
      byUser = true;
    });
    terminal.onData((text) => {
      const wasByUser = byUser;
      byUser = false;
      if (wasByUser) typed(encoder.encode(text));
      else if (this.answering && this._answerable[0] !== false) answered(encoder.encode(text));
    });
    // Old mouse reports, which are no UTF-8: a character is a byte.
    terminal.onBinary((text) => typed(Uint8Array.from(text, (character) => character.charCodeAt(0))));
  }

  /**
   * @param {Uint8Array} bytes never decoded here: a character may be split between calls
   * @param {boolean} replayed whether nobody is waiting for answers to these bytes
   * @param {(parsed: number) => void} parsed called as pieces have been dealt with
   */
  write(bytes, replayed, parsed) {
    for (let start = 0; start < bytes.length; start += PIECE) {
      const piece = bytes.subarray(start, start + PIECE);
      this._answerable.push(!replayed);
      this._terminal.write(piece, () => {
        this._answerable.shift();
        parsed(piece.length);
      });
    }
  }

  /**
   * Shows a line of our own. CAN ends an escape sequence that was cut; the
   * line goes in as bytes, so that a cut character ends as well.
   *
   * @param {string} text
   */
  note(text) {
    this.write(encoder.encode(`\x18\r\n${NOTE_COLOURS} ${text} \x1b[0m\r\n`), true, () => {});
  }

  /** Empties the screen and what was scrolled away, after what was written before. */
  clear() {
    this.write(encoder.encode("\x18\x1bc"), true, () => {});
  }
}
