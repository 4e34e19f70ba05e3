/**
 * Copying and pasting: by the browser's own means, by keys, and by buttons.
 *
 * What is pasted is looked at before it is typed: more than one line, or a
 * lot, or what can't be typed, is shown and asked about. A guest can't write
 * the clipboard (OSC 52 is none of xterm.js' own, and stays so).
 */

import { ask } from "./dialogs.js";
import { element } from "./dom.js";
import { strings } from "./strings.js";
import { typeable } from "./typing.js";

/** Bytes above which one line is asked about as well. */
const LARGE = 1024;
/** Characters of a paste that are shown, and can be changed. */
const SHOWN = 20_000;

export class Clipboard {
  /**
   * @param {object} parts
   * @param {import("@xterm/xterm").Terminal} parts.terminal
   * @param {(bytes: Uint8Array) => void} parts.paste
   * @param {() => boolean} parts.mayPaste false if that goes nowhere now, and the user has been told why
   * @param {() => string} parts.text of the terminal
   * @param {(words: string) => void} parts.say
   * @param {import("./preferences.js").Preferences} parts.preferences
   */
  constructor({ terminal, paste, mayPaste, text, say, preferences }) {
    this._terminal = terminal;
    this._paste = paste;
    this._mayPaste = mayPaste;
    this._text = text;
    this._say = say;
    this._preferences = preferences;
    this._asks = true;
    // Before xterm.js, which would type it at once.
    terminal.element?.addEventListener(
      "paste",
      (event) => {
        event.preventDefault();
        event.stopPropagation();
        this.offer(event.clipboardData?.getData("text/plain") ?? "");
      },
      true,
    );
  }

  /** Copies what is selected. */
  copy() {
    if (!this._terminal.hasSelection()) {
      this._say(strings.nothingSelected);
      return;
    }
    this._copyText(this._terminal.getSelection());
  }

  /** From the clipboard, where the browser lets us read it; else the user puts it into a field. */
  async paste() {
    const text = await navigator.clipboard?.readText().catch(() => "");
    if (text) await this.offer(text);
    else await this._confirm("");
  }

  /**
   * @param {string} text to be typed, after a question if it needs one
   */
  async offer(text) {
    if (text === "") return;
    const { bytes, endsLine, controls } = this._typeable(text);
    const isPlain = !endsLine && bytes.length <= LARGE && controls === 0;
    if (isPlain || !this._asks) {
      if (this._mayPaste()) this._paste(bytes);
      return;
    }
    await this._confirm(text);
  }

  /** Shows the terminal's text where fingers can select it. */
  async select() {
    const area = element("textarea", { readOnly: true, value: this._text(), "aria-label": strings.selectTitle });
    area.classList.add("tall");
    requestAnimationFrame(() => {
      area.scrollTop = area.scrollHeight;
    });
    const all = await ask({
      title: strings.selectTitle,
      body: [area],
      yes: strings.copyAll,
      no: strings.close,
      focus: area,
    });
    if (all) this._copyText(area.value);
    this._terminal.focus();
  }

  /** @param {string} text */
  async _confirm(text) {
    if (!this._mayPaste()) return;
    const isWhole = text.length <= SHOWN;
    const area = element("textarea", {
      value: isWhole ? text : text.slice(0, SHOWN),
      readOnly: !isWhole,
      spellcheck: false,
      "aria-label": strings.pasteHere,
      "aria-describedby": "paste-amount",
    });
    const amount = element("p", { id: "paste-amount" });
    const pace = paceChoice(this._preferences);
    const asksNoMore = element("input", { type: "checkbox" });
    const wanted = () => (isWhole ? area.value : text);
    const describe = () => {
      const { bytes, lines, endsLine, controls } = this._typeable(wanted());
      const words = [strings.pasteAmount(lines, bytes.length)];
      if (endsLine && !this._terminal.modes.bracketedPasteMode) words.push(strings.pasteEnters);
      if (controls) words.push(strings.pasteControls(controls));
      if (!isWhole) words.push(strings.pastePreview(SHOWN));
      amount.textContent = words.join(" ");
    };
    area.addEventListener("input", describe);
    describe();
    const sure = await ask({
      title: strings.pasteTitle,
      body: [
        area,
        amount,
        element("label", { className: "row" }, strings.pace, pace),
        element("label", { className: "row" }, strings.pasteAgain, asksNoMore),
      ],
      yes: strings.pasteDo,
      focus: text === "" ? area : undefined,
    });
    this._terminal.focus();
    if (!sure) return;
    this._asks = !asksNoMore.checked;
    if (this._mayPaste()) this._paste(this._typeable(wanted()).bytes);
  }

  /** @param {string} text */
  _typeable(text) {
    return typeable(text, this._terminal.modes.bracketedPasteMode);
  }

  /** @param {string} text */
  async _copyText(text) {
    // navigator.clipboard is missing where the page came by plain http.
    const copied = await navigator.clipboard?.writeText(text).then(
      () => true,
      () => false,
    );
    this._say(copied || copyByCommand(text) ? strings.copied : strings.copyFailed);
  }
}

/**
 * A choice of how fast to paste, which is remembered.
 *
 * @param {import("./preferences.js").Preferences} preferences
 */
export function paceChoice(preferences) {
  const options = strings.paces.map((pace) => element("option", { value: String(pace) }, strings.paceName(pace)));
  const choice = element("select", { title: strings.paceHint }, ...options);
  choice.value = String(preferences.liking.pace);
  choice.addEventListener("change", () => preferences.change({ pace: Number(choice.value) }));
  return choice;
}

/** @param {string} text */
function copyByCommand(text) {
  const had = document.activeElement;
  const area = element("textarea", { value: text, className: "unseen" });
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  if (had instanceof HTMLElement) had.focus();
  return copied;
}
