/**
 * Who has the keyboard, in words: it is for all, or somebody has taken it.
 */

import { isLockedOut } from "./facts.js";
import { plain } from "./plain.js";
import { strings } from "./strings.js";

/** @typedef {import("./interfaces.js").State} State */

/**
 * @param {State} state
 * @param {string|null} name of a viewer
 * @returns {string} as in "ann (v3)", since one user may look from two places
 */
export function whoIs(state, name) {
  const viewer = state.viewers.find((other) => other.name === name);
  if (!viewer) return plain(name ?? strings.keyboard.nobody, 60);
  return viewer.user ? `${plain(viewer.user, 60)} (${plain(viewer.name, 20)})` : plain(viewer.name, 60);
}

/**
 * @param {State} state
 * @returns {{holding: "shared"|"yours"|"theirs", face: string, hint: string, canChange: boolean}}
 */
export function keyboardOf(state) {
  const words = strings.keyboard;
  const canChange = state.mode === "rw" && (state.name === "connected" || state.name === "waiting");
  if (state.keyboard === null) {
    return { holding: "shared", face: words.shared, hint: canChange ? words.sharedHint : words.sharedOnly, canChange };
  }
  if (state.keyboard === state.viewer) {
    return { holding: "yours", face: words.yours, hint: words.yoursHint, canChange };
  }
  const who = whoIs(state, state.keyboard);
  const user = state.viewers.find(({ name }) => name === state.keyboard)?.user;
  const hint = canChange ? words.theirsHint(who) : words.theirsOnly(who);
  return { holding: "theirs", face: words.theirs(plain(user || state.keyboard, 12)), hint, canChange };
}

/**
 * What pressing the keyboard's button asks the server for.
 *
 * @param {State} state
 */
export const wishOf = (state) =>
  state.keyboard === state.viewer ? { do: "give_keyboard", to: null } : { do: "take_keyboard" };

/**
 * @param {State} state
 * @param {string|null} holder
 * @param {string|null} by who did it; null if nobody did, as when the holder left
 */
export function changeOfHands(state, holder, by) {
  const words = strings.keyboard;
  const isUs = (/** @type {string|null} */ name) => name === state.viewer;
  if (holder === null) {
    if (by === null) return words.freed;
    return isUs(by) ? words.freedByYou : words.freedBy(whoIs(state, by));
  }
  if (isUs(holder)) return by !== null && !isUs(by) ? words.givenToYou(whoIs(state, by)) : words.takenByYou;
  const who = whoIs(state, holder);
  if (by === null) return words.handed(who);
  if (by === holder) return words.taken(who);
  return isUs(by) ? words.givenByYou(who) : words.given(whoIs(state, by), who);
}

/** @param {State} state */
export const lockedOutBy = (state) => (isLockedOut(state) ? strings.keyboard.lockedOut(whoIs(state, state.keyboard)) : "");
