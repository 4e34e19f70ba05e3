/**
 * What the server has said about the console: who is there, who has the
 * keyboard, what is about to happen. It comes with `hello` and is changed by
 * events (docs/protocol.md); how the connection itself is, is not in here.
 */

/**
 * @typedef {{name: string, user: string, mode: string}} Viewer
 *
 * @typedef {object} Ending a countdown
 * @property {string} reason a word: idle, input, watching
 * @property {string} message
 * @property {number} deadline by the clock
 *
 * @typedef {object} Facts
 * @property {string} title
 * @property {"rw"|"ro"|null} mode null before the first hello
 * @property {string|null} viewer our public name
 * @property {Viewer[]} viewers
 * @property {boolean} resizable
 * @property {string[]} abilities what the guest's device can take: break, sysrq; or the server do: end_session
 * @property {boolean} recording
 * @property {string|null} keyboard who holds it alone; null if all may type who may type at all
 * @property {Ending|null} ending
 * @property {{name: string, message: string}[]} notices which last
 * @property {{state: string, message: string}|null} logout
 * @property {boolean} held whether the line takes no input now
 * @property {{state: "live"|"waiting", message: string}} line
 */

/** The most notices that are kept; a server has a handful. */
const MOST_NOTICES = 20;

/** @returns {Facts} before anything was said */
export const nothingKnown = () => ({
  title: "",
  mode: null,
  viewer: null,
  viewers: [],
  resizable: false,
  abilities: [],
  recording: false,
  keyboard: null,
  ending: null,
  notices: [],
  logout: null,
  held: false,
  line: { state: "live", message: "" },
});

/**
 * @param {any} hello
 * @param {number} now
 * @returns {Facts}
 */
export function factsOf(hello, now) {
  const resizable = hello.resizable === true;
  return {
    title: text(hello.title),
    mode: hello.mode === "rw" ? "rw" : "ro",
    viewer: text(hello.viewer),
    viewers: [],
    resizable,
    abilities: list(hello.abilities).map(text),
    recording: hello.recording === true,
    keyboard: nameOf(hello.keyboard),
    ending: endingOf(hello.ending, now),
    notices: list(hello.notices).slice(0, MOST_NOTICES).map(noticeOf).filter(({ message }) => message),
    logout: null,
    held: false,
    line: lineOf(hello.line),
  };
}

/**
 * @param {Facts} facts
 * @param {any} event
 * @param {number} now
 * @returns {Facts} the same object where the event changes none of them
 */
export function changedBy(facts, event, now) {
  switch (event.event) {
    case "viewers":
      return { ...facts, viewers: list(event.viewers).map(viewerOf) };
    case "line":
      return { ...facts, line: lineOf(event) };
    case "keyboard":
      return { ...facts, keyboard: nameOf(event.holder) };
    case "ending":
      return { ...facts, ending: endingOf(event, now) };
    case "notice": {
      const notice = noticeOf(event);
      const others = facts.notices.filter(({ name }) => name !== notice.name);
      return { ...facts, notices: notice.message ? [...others, notice].slice(-MOST_NOTICES) : others };
    }
    case "logout":
      // "off" takes it back.
      if (event.state === "off") return { ...facts, logout: null };
      return { ...facts, logout: { state: text(event.state), message: text(event.message) } };
    case "abilities":
      return { ...facts, abilities: list(event.abilities).map(text) };
    case "recording":
      return { ...facts, recording: event.on === true };
    case "held":
      return { ...facts, held: event.held === true };
    default:
      return facts;
  }
}

/**
 * Whether somebody else has the keyboard, so that what is typed here goes nowhere.
 *
 * @param {Facts} facts
 */
export const isLockedOut = ({ keyboard, viewer, mode }) => mode === "rw" && keyboard !== null && keyboard !== viewer;

/** @param {unknown} value */
const text = (value) => (typeof value === "string" ? value : "");

/** @param {unknown} value */
const list = (value) => /** @type {any[]} */ (Array.isArray(value) ? value : []);

/** @param {unknown} value */
const nameOf = (value) => (typeof value === "string" && value ? value : null);

/** @param {any} viewer */
const viewerOf = (viewer) => ({ name: text(viewer?.name), user: text(viewer?.user), mode: text(viewer?.mode) });

/** @param {any} notice */
const noticeOf = (notice) => ({ name: text(notice?.name), message: text(notice?.message) });

/**
 * @param {any} ending
 * @param {number} now
 * @returns {Ending|null}
 */
function endingOf(ending, now) {
  if (!ending || typeof ending.reason !== "string") return null;
  const seconds = Number.isFinite(ending.in) ? Math.max(0, ending.in) : 0;
  return { reason: ending.reason, message: text(ending.message), deadline: now + seconds * 1000 };
}

/**
 * @param {any} line
 * @returns {Facts["line"]}
 */
const lineOf = (line) => ({ state: line?.state === "waiting" ? "waiting" : "live", message: text(line?.message) });
