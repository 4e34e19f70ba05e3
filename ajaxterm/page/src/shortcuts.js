/**
 * Keys that are the page's and not the guest's. With Ctrl and Shift, or such
 * as every terminal keeps for itself; all others go to the guest, Tab among them.
 */

/** @typedef {"find"|"copy"|"paste"|"larger"|"smaller"|"bar"} Shortcut */

/** By where they lie on a keyboard: layouts differ. @type {Record<string, Shortcut>} */
const WITH_CTRL_SHIFT = { KeyF: "find", KeyC: "copy", KeyV: "paste", Period: "larger", Comma: "smaller" };

/**
 * @param {{code: string, key: string, ctrlKey: boolean, shiftKey: boolean, altKey: boolean, metaKey: boolean}} event
 * @returns {Shortcut|null}
 */
export function shortcutOf({ code, key, ctrlKey, shiftKey, altKey, metaKey }) {
  if (altKey || metaKey) return null;
  if (key === "F6" && ctrlKey) return "bar";
  if (key === "Insert" && ctrlKey && !shiftKey) return "copy";
  if (key === "Insert" && shiftKey && !ctrlKey) return "paste";
  return ctrlKey && shiftKey ? (WITH_CTRL_SHIFT[code] ?? null) : null;
}
