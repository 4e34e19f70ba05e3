/**
 * What the connection needs of a browser. All addresses are relative: the page
 * may lie under any path.
 */

/** Milliseconds. */
const PROBE_WITHIN = 10_000;

/** @type {import("./interfaces.js").Clock} */
export const windowClock = {
  now: () => performance.now(),
  after: (delay, call) => {
    const timer = window.setTimeout(call, delay);
    return () => window.clearTimeout(timer);
  },
};

export function openSocket() {
  const url = new URL("ws", document.baseURI);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return new WebSocket(url, ["ajaxterm.v1"]);
}

/** @type {import("./interfaces.js").Post} */
export async function httpPost(path, init) {
  const response = await fetch(path, { method: "POST", cache: "no-store", redirect: "manual", ...init });
  return { status: response.status, body: new Uint8Array(await response.arrayBuffer()) };
}

/** @type {Promise<number>|null} */
let probing = null;

/**
 * One at a time: who asks meanwhile has the same answer.
 *
 * @returns {Promise<number>} the status of the page itself; 0 without an answer in time
 */
export function httpProbe() {
  probing ??= fetch(".", { cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(PROBE_WITHIN) })
    .then(
      (response) => response.status,
      () => 0,
    )
    .finally(() => {
      probing = null;
    });
  return probing;
}
