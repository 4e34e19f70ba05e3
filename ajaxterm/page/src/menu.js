/**
 * The menu: everything that is not worth a place in the bar.
 */

import { canTellSize } from "./bar.js";
import { paceChoice } from "./clipboard.js";
import { ask } from "./dialogs.js";
import { button, byId, element, icon, iconButton, write } from "./dom.js";
import { plain } from "./plain.js";
import { nextFontSize } from "./preferences.js";
import { strings } from "./strings.js";

/**
 * @typedef {object} MenuActions
 * @property {() => void} copy
 * @property {() => void} paste
 * @property {() => void} select
 * @property {() => void} find
 * @property {() => void} tellSize
 * @property {(wish: {do: string, [field: string]: unknown}) => void} ask of the server
 * @property {() => number} fontSize as it is now
 * @property {() => boolean} keyRow whether it is there now
 * @property {() => void} focus the terminal
 */

export class Menu {
  /**
   * @param {import("./preferences.js").Preferences} preferences
   * @param {MenuActions} actions
   */
  constructor(preferences, actions) {
    this._preferences = preferences;
    this._actions = actions;
    this._panel = byId("menu");
    const opener = byId("menu-button");
    opener.setAttribute("aria-label", strings.menu);
    opener.title = strings.menu;
    this._panel.setAttribute("aria-label", strings.menu);
    this._panel.append(this._text(), this._view(), this._guest(), this._console());
    // Before it is shown: "toggle" comes later, and a busy browser would show what was so before.
    this._panel.addEventListener("beforetoggle", (event) => {
      if (/** @type {ToggleEvent} */ (event).newState === "open") this._refresh();
    });
    this._panel.addEventListener("toggle", (event) => {
      const isOpen = /** @type {ToggleEvent} */ (event).newState === "open";
      if (!isOpen && (document.activeElement === opener || document.activeElement === document.body)) {
        actions.focus();
      }
    });
    this._panel.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") this._step(event);
    });
    preferences.follow(() => this._refresh());
  }

  /**
   * @param {import("./interfaces.js").State} state
   */
  show(state) {
    const here = state.name === "connected" || state.name === "waiting";
    const mayDo = here && state.mode === "rw";
    this._tell.hidden = state.resizable;
    this._tell.disabled = !canTellSize(state);
    this._break.hidden = !state.abilities.includes("break");
    this._break.disabled = !mayDo;
    this._sysrqRow.hidden = !state.abilities.includes("sysrq");
    this._sysrqSend.disabled = !mayDo;
    this._guestSection.hidden = this._tell.hidden && this._break.hidden && this._sysrqRow.hidden;
    this._end.hidden = !state.abilities.includes("end_session") || state.mode !== "rw";
    this._end.disabled = !mayDo;
    this._pasteItem.disabled = state.mode === "ro" || state.name === "ended";
    this._log.download = `${plain(state.title, 100).replace(/[^\p{L}\p{N}._-]+/gu, "-") || "console"}.log`;
  }

  _text() {
    const { copy, paste, select, find } = this._actions;
    this._pasteItem = this._item(strings.paste, paste, "Ctrl+Shift+V");
    const first = this._item(strings.copy, copy, "Ctrl+Shift+C");
    // The browser itself goes there as it opens the menu; "toggle" comes later, after the next keys.
    // Not before that: at the page's start it would be told of in the log as a focus that was refused.
    this._panel.addEventListener("beforetoggle", () => (first.autofocus = true), { once: true });
    return section(
      strings.menuText,
      first,
      this._pasteItem,
      this._item(strings.select, select),
      this._item(strings.find, find, "Ctrl+Shift+F"),
      element("label", { className: "row" }, strings.pace, (this._pace = paceChoice(this._preferences))),
    );
  }

  _view() {
    const font = (/** @type {1|-1} */ direction) => () =>
      this._preferences.change({ fontSize: nextFontSize(this._actions.fontSize(), direction) });
    this._size = element("output");
    /** @type {Record<string, HTMLButtonElement>} */
    this._themes = {};
    const themes = element("div", { className: "choice", role: "group", "aria-label": strings.theme });
    for (const theme of /** @type {const} */ (["system", "dark", "light"])) {
      this._themes[theme] = button(strings.themes[theme], () => this._preferences.change({ theme }));
      themes.append(this._themes[theme]);
    }
    this._keyRow = tick(() => this._preferences.change({ keyRow: /** @type {HTMLInputElement} */ (this._keyRow).checked }));
    this._screenReader = tick(() =>
      this._preferences.change({ screenReader: /** @type {HTMLInputElement} */ (this._screenReader).checked }),
    );
    const full = this._item(strings.fullScreen, () =>
      document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen(),
    );
    full.hidden = !document.fullscreenEnabled;
    return section(
      strings.menuView,
      element(
        "div",
        { className: "row" },
        strings.fontSize,
        element(
          "span",
          { className: "steps" },
          iconButton("minus", `${strings.smaller} (Ctrl+Shift+,)`, font(-1)),
          this._size,
          iconButton("plus", `${strings.larger} (Ctrl+Shift+.)`, font(1)),
        ),
      ),
      element("div", { className: "row" }, strings.theme, themes),
      element("label", { className: "row" }, strings.keyRow, this._keyRow),
      element("label", { className: "row" }, strings.screenReader, this._screenReader),
      full,
    );
  }

  _guest() {
    const { tellSize, ask: wish } = this._actions;
    this._tell = this._item(strings.tellSize, tellSize);
    this._break = this._item(strings.sendBreak, () => wish({ do: "break" }));
    const keys = element("select", { "aria-label": strings.sysrq });
    for (const [key, name] of Object.entries(strings.sysrqs)) keys.append(element("option", { value: key }, name));
    this._sysrqSend = button(strings.send, async () => {
      const key = keys.value;
      const isGrave = strings.sysrqDangerous.includes(key);
      this._close();
      const question = { title: strings.sysrq, body: [strings.sysrqSure(key)], yes: strings.send, isGrave };
      if (!isGrave || (await ask(question))) wish({ do: "sysrq", key });
    });
    this._sysrqRow = element("div", { className: "row" }, strings.sysrq, element("span", { className: "steps" }, keys, this._sysrqSend));
    this._guestSection = section(strings.menuGuest, this._tell, this._break, this._sysrqRow);
    return this._guestSection;
  }

  _console() {
    this._log = element("a", { className: "item", href: "log", title: strings.logHint }, icon("download"), strings.log);
    this._log.addEventListener("click", () => this._close());
    this._end = this._item(strings.endSession, async () => {
      const question = { title: strings.endSessionTitle, body: [strings.endSessionWords], yes: strings.endSessionDo };
      if (await ask({ ...question, isGrave: true })) this._actions.ask({ do: "end_session" });
      this._actions.focus();
    });
    this._end.classList.add("grave");
    return section(strings.menuConsole, this._log, this._end);
  }

  _refresh() {
    const { liking } = this._preferences;
    if (this._size) write(this._size, String(this._actions.fontSize()));
    if (this._pace) this._pace.value = String(liking.pace);
    if (this._keyRow) this._keyRow.checked = this._actions.keyRow();
    if (this._screenReader) this._screenReader.checked = liking.screenReader;
    for (const [theme, made] of Object.entries(this._themes ?? {})) {
      made.setAttribute("aria-pressed", String(theme === liking.theme));
    }
  }

  _close() {
    /** @type {any} */ (this._panel).hidePopover();
  }

  /** @param {KeyboardEvent} event */
  _step(event) {
    if (event.target instanceof HTMLSelectElement) return;
    const all = [...this._panel.querySelectorAll("button, a, select, input")];
    const there = /** @type {HTMLElement[]} */ (all.filter((one) => !one.closest("[hidden]") && !one.matches(":disabled")));
    const at = there.indexOf(/** @type {HTMLElement} */ (event.target));
    there.at((at + (event.key === "ArrowDown" ? 1 : -1)) % there.length)?.focus();
    event.preventDefault();
  }

  /**
   * @param {string} text
   * @param {() => void} pressed
   * @param {string} [keys] which do the same
   */
  _item(text, pressed, keys) {
    const made = button(
      text,
      () => {
        this._close();
        pressed();
      },
      { className: "item" },
    );
    if (keys) made.append(element("kbd", {}, keys));
    return made;
  }
}

/**
 * @param {string} title
 * @param {...Node} items
 */
const section = (title, ...items) => element("section", {}, element("h2", {}, title), ...items);

/** @param {() => void} changed */
function tick(changed) {
  const made = element("input", { type: "checkbox" });
  made.addEventListener("change", changed);
  return made;
}
