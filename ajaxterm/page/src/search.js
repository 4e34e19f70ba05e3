/**
 * Finding text in the terminal, with what was scrolled away.
 */

import { SearchAddon } from "@xterm/addon-search";

import { searchColours } from "./colours.js";
import { button, element, iconButton, write } from "./dom.js";
import { strings } from "./strings.js";

export class Search {
  /**
   * @param {import("@xterm/xterm").Terminal} terminal
   * @param {HTMLElement} place where the panel is put
   * @param {() => boolean} isLight
   */
  constructor(terminal, place, isLight) {
    this._terminal = terminal;
    this._isLight = isLight;
    this._addon = new SearchAddon({ highlightLimit: 1000 });
    terminal.loadAddon(this._addon);
    this._words = element("input", {
      type: "search",
      "aria-label": strings.searchLabel,
      "aria-describedby": "search-count",
      placeholder: strings.searchLabel,
      spellcheck: false,
      autocomplete: "off",
    });
    this._count = element("span", { id: "search-count", role: "status" });
    this._case = toggle("Aa", strings.searchCase, () => this._anew());
    this._regex = toggle(".*", strings.searchRegex, () => this._anew());
    this._panel = element(
      "div",
      { id: "search", role: "search", hidden: true },
      this._words,
      this._count,
      this._case,
      this._regex,
      iconButton("previous", strings.searchPrevious, () => this._find(-1)),
      iconButton("next", strings.searchNext, () => this._find(1)),
      iconButton("close", strings.close, () => this.close()),
    );
    place.prepend(this._panel);
    this._words.addEventListener("input", () => this._find(1, true));
    this._panel.addEventListener("keydown", (event) => this._key(event));
    this._addon.onDidChangeResults(({ resultIndex, resultCount }) => {
      write(this._count, this._words.value ? strings.searchCount(resultIndex, resultCount) : "");
    });
  }

  get isOpen() {
    return !this._panel.hidden;
  }

  open() {
    this._panel.hidden = false;
    const selected = this._terminal.getSelection();
    if (selected && !selected.includes("\n")) this._words.value = selected;
    this._words.focus();
    this._words.select();
    if (this._words.value) this._find(1, true);
  }

  close() {
    this._panel.hidden = true;
    this._addon.clearDecorations();
    this._terminal.focus();
  }

  /**
   * @param {1|-1} direction
   * @param {boolean} incremental whether what is found may stay where it is
   */
  _find(direction, incremental = false) {
    const words = this._words.value;
    if (words === "") {
      this._addon.clearDecorations();
      this._terminal.clearSelection();
      write(this._count, "");
      return;
    }
    const regex = isPressed(this._regex);
    if (regex && !isExpression(words)) {
      write(this._count, strings.searchBad);
      return;
    }
    const how = {
      regex,
      caseSensitive: isPressed(this._case),
      incremental,
      decorations: searchColours(this._isLight()),
    };
    if (direction > 0) this._addon.findNext(words, how);
    else this._addon.findPrevious(words, how);
  }

  /** The same words, in another way: the addon (0.16) would not notice by itself. */
  _anew() {
    this._addon.clearDecorations();
    this._find(1, true);
  }

  /** @param {KeyboardEvent} event */
  _key(event) {
    if (event.key === "Escape") this.close();
    else if (event.key === "Enter" && event.target === this._words) this._find(event.shiftKey ? -1 : 1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/** @param {string} words */
function isExpression(words) {
  try {
    new RegExp(words);
    return true;
  } catch {
    return false;
  }
}

/**
 * @param {string} text
 * @param {string} label
 * @param {() => void} changed
 */
function toggle(text, label, changed) {
  const made = button(
    text,
    () => {
      made.setAttribute("aria-pressed", String(!isPressed(made)));
      changed();
    },
    { "aria-label": label, title: label, "aria-pressed": "false", className: "flat" },
  );
  return made;
}

/** @param {Element} toggle */
const isPressed = (toggle) => toggle.getAttribute("aria-pressed") === "true";
