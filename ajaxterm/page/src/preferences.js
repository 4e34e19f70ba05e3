/**
 * What this user likes, kept by the browser where it may; with who wants to
 * know when it changes.
 */

const KEY = "ajaxterm";

/**
 * @typedef {object} Liking
 * @property {"system"|"dark"|"light"} theme
 * @property {number} fontSize in pixels; 0 for what suits the screen
 * @property {number} pace of pastes, bytes per second; 0 for as fast as can be
 * @property {boolean|null} keyRow null for what suits the screen
 * @property {boolean} screenReader
 */

/** @type {Liking} */
const DEFAULT = { theme: "system", fontSize: 0, pace: 0, keyRow: null, screenReader: false };

export const FONT_SIZES = [8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 24, 28, 32];

export class Preferences {
  /** @param {() => Storage} storage throws where the browser forbids it */
  constructor(storage) {
    this._storage = storage;
    /** @type {((liking: Liking) => void)[]} */
    this._told = [];
    /** @type {Liking} */
    this._liking = { ...DEFAULT };
    try {
      const kept = JSON.parse(storage().getItem(KEY) ?? "{}");
      for (const key of /** @type {(keyof Liking)[]} */ (Object.keys(DEFAULT))) {
        if (isFit(key, kept?.[key])) /** @type {any} */ (this._liking)[key] = kept[key];
      }
    } catch {
      // Then it is as it is at first.
    }
  }

  get liking() {
    return this._liking;
  }

  /** @param {(liking: Liking) => void} told called now, and at every change */
  follow(told) {
    this._told.push(told);
    told(this._liking);
  }

  /** @param {Partial<Liking>} change */
  change(change) {
    this._liking = { ...this._liking, ...change };
    try {
      this._storage().setItem(KEY, JSON.stringify(this._liking));
    } catch {
      // Then it lasts as long as this tab.
    }
    for (const told of this._told) told(this._liking);
  }
}

/**
 * @param {number} size
 * @param {1|-1} direction
 */
export function nextFontSize(size, direction) {
  const others = direction > 0 ? FONT_SIZES.filter((other) => other > size) : FONT_SIZES.filter((other) => other < size);
  return (direction > 0 ? others[0] : others.at(-1)) ?? size;
}

/**
 * @param {keyof Liking} key
 * @param {unknown} value
 */
function isFit(key, value) {
  switch (key) {
    case "theme":
      return value === "system" || value === "dark" || value === "light";
    case "fontSize":
      return value === 0 || FONT_SIZES.includes(/** @type {number} */ (value));
    case "pace":
      return Number.isSafeInteger(value) && /** @type {number} */ (value) >= 0;
    case "keyRow":
      return value === null || typeof value === "boolean";
    default:
      return typeof value === "boolean";
  }
}
