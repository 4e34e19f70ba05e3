/**
 * A row of the keys that a phone's keyboard lacks. Ctrl holds for the next key.
 */

import { button, element, icon } from "./dom.js";
import { strings } from "./strings.js";

const ROWS = [
  ["esc", "tab", "ctrl", "up", "pageUp", "pipe", "slash"],
  ["paste", "tilde", "left", "down", "right", "pageDown", "dash"],
];

/** @type {Record<string, string>} what a key types; arrows see below */
const TYPES = { esc: "\x1b", tab: "\t", pageUp: "\x1b[5~", pageDown: "\x1b[6~", pipe: "|", slash: "/", tilde: "~", dash: "-" };
/** @type {Record<string, string>} the last letter of an arrow's sequence */
const ARROWS = { up: "A", down: "B", right: "C", left: "D" };
/** @type {Record<string, string>} what stands on a key */
const FACES = { esc: "Esc", tab: "Tab", ctrl: "Ctrl", pageUp: "PgUp", pageDown: "PgDn", pipe: "|", slash: "/", tilde: "~", dash: "-" };

/** Milliseconds until a key that is held repeats, and from then on. */
const REPEAT_AFTER = 450;
const REPEAT_EVERY = 70;

export class KeyRow {
  /**
   * @param {HTMLElement} place
   * @param {object} actions
   * @param {(text: string) => void} actions.press types as a key of the terminal
   * @param {() => boolean} actions.application whether arrows are in application mode (DECCKM)
   * @param {() => void} actions.paste
   */
  constructor(place, { press, application, paste }) {
    this._place = place;
    this._press = press;
    this._application = application;
    this._ctrl = false;
    this._repeating = 0;
    place.setAttribute("aria-label", strings.keysLabel);
    for (const row of ROWS) {
      const line = element("div", {});
      for (const name of row) {
        if (name === "paste") line.append(this._key(name, paste));
        else if (name === "ctrl") line.append((this._ctrlKey = this._key(name, () => this._hold(!this._ctrl))));
        else line.append(this._key(name, () => this._send(name), name in ARROWS));
      }
      place.append(line);
    }
    this._hold(false);
  }

  /** @param {boolean} shown */
  show(shown) {
    this._place.hidden = !shown;
    if (!shown) this._hold(false);
  }

  /**
   * What the user typed, with Ctrl if it was held.
   *
   * @param {Uint8Array} bytes
   */
  withCtrl(bytes) {
    if (!this._ctrl) return bytes;
    this._hold(false);
    return controlled(bytes);
  }

  /** @param {string} name */
  _send(name) {
    const arrow = ARROWS[name];
    if (!arrow) {
      this._press(TYPES[name]);
    } else if (this._ctrl) {
      this._hold(false);
      this._press(`\x1b[1;5${arrow}`);
    } else {
      this._press(`\x1b${this._application() ? "O" : "["}${arrow}`);
    }
  }

  /** @param {boolean} held */
  _hold(held) {
    this._ctrl = held;
    this._ctrlKey?.setAttribute("aria-pressed", String(held));
  }

  /**
   * @param {string} name
   * @param {() => void} pressed
   * @param {boolean} repeats
   */
  _key(name, pressed, repeats = false) {
    const key = button("", pressed);
    key.append(FACES[name] ?? icon(name));
    const spoken = strings.keyNames[name];
    if (spoken) key.setAttribute("aria-label", spoken);
    // The terminal keeps the focus, and a phone its keyboard.
    key.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      this._stop();
      if (!repeats) return;
      const again = () => {
        pressed();
        this._repeating = window.setTimeout(again, REPEAT_EVERY);
      };
      this._repeating = window.setTimeout(again, REPEAT_AFTER);
    });
    for (const over of ["pointerup", "pointerleave", "pointercancel"]) key.addEventListener(over, () => this._stop());
    return key;
  }

  _stop() {
    window.clearTimeout(this._repeating);
  }
}

/**
 * @param {Uint8Array} bytes of one key
 * @returns {Uint8Array} what it types with Ctrl; the same if Ctrl changes nothing
 */
export function controlled(bytes) {
  const [key] = bytes;
  if (bytes.length !== 1) return bytes;
  if (key === 0x3f) return Uint8Array.of(0x7f);
  if (key === 0x20) return Uint8Array.of(0);
  return key >= 0x40 && key < 0x7f ? Uint8Array.of(key & 0x1f) : bytes;
}
