/**
 * The list of who is there, under their number; the one who has the keyboard
 * alone can give it to another here.
 */

import { button, element, icon, write } from "./dom.js";
import { plain } from "./plain.js";
import { strings } from "./strings.js";

export class Viewers {
  /**
   * @param {HTMLDetailsElement} place with a summary and a list
   * @param {(name: string) => void} give the keyboard
   */
  constructor(place, give) {
    this._place = place;
    this._give = give;
    this._shown = "";
    const [summary, list] = /** @type {[HTMLElement, HTMLElement]} */ ([...place.children]);
    this._summary = summary;
    this._list = list;
    this._count = element("span");
    this._word = element("span", { className: "word" });
    summary.append(icon("viewers"), element("span", {}, this._count, " ", this._word));
    // A list that hangs over the terminal goes away like a menu.
    document.addEventListener("pointerdown", (event) => {
      if (!place.contains(/** @type {Node} */ (event.target))) place.open = false;
    });
    place.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && place.open) {
        place.open = false;
        summary.focus();
        event.stopPropagation();
      }
    });
  }

  /** @param {import("./interfaces.js").State} state */
  show(state) {
    const here = state.name === "connected" || state.name === "waiting";
    const known = here && state.viewers.length > 0;
    this._place.classList.toggle("stale", !known);
    const count = known ? state.viewers.length : null;
    write(this._count, count === null ? "–" : String(count));
    write(this._word, strings.viewers(count));
    // Rebuilt only when it changes, so that what is focused or read out stays.
    const shown = JSON.stringify([known && state.viewers, state.viewer, state.keyboard]);
    if (shown === this._shown) return;
    this._shown = shown;
    const isOurs = state.keyboard !== null && state.keyboard === state.viewer;
    const viewers = known ? state.viewers : [];
    const lines = viewers.map((viewer) => ({ ...viewer, who: whoIn(state, viewer), what: whatOf(state, viewer) }));
    this._summary.title = `${strings.viewersLabel}:\n${lines.map(({ who, what }) => `${who}, ${what}`).join("\n")}`;
    this._list.replaceChildren(
      ...lines.map(({ name, mode, who, what }) => {
        const item = element("li", {}, element("b", {}, who), element("span", {}, what));
        if (isOurs && mode === "rw" && name !== state.viewer) {
          item.append(button(strings.giveKeyboard, () => this._give(name)));
        }
        return item;
      }),
    );
  }
}

/**
 * @param {import("./interfaces.js").State} state
 * @param {import("./facts.js").Viewer} viewer
 */
function whoIn(state, { name, user }) {
  const who = plain(user || name, 60);
  if (name === state.viewer) return `${who} (${strings.you})`;
  // Two of one name are told apart.
  return state.viewers.filter((other) => other.user === user).length > 1 && user ? `${who} (${plain(name, 20)})` : who;
}

/**
 * @param {import("./interfaces.js").State} state
 * @param {import("./facts.js").Viewer} viewer
 */
const whatOf = (state, { name, mode }) => (name === state.keyboard ? strings.hasKeyboard : strings.viewerMode(mode));
