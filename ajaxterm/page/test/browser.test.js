import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { httpProbe } from "../src/browser.js";
import { settled } from "./fakes.js";

/** A browser whose requests are answered by hand, and whose time-outs come when they are told to. */
function browsing(context) {
  const asked = [];
  const limits = [];
  context.mock.method(globalThis, "fetch", (path, { signal }) => {
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
      asked.push({ path, answer: (status) => resolve({ status }) });
    });
  });
  context.mock.method(AbortSignal, "timeout", (within) => {
    const limit = new AbortController();
    limits.push({ within, passes: () => limit.abort() });
    return limit.signal;
  });
  return { asked, limits };
}

describe("a probe", () => {
  test("says what the page's own status is", async (context) => {
    const { asked } = browsing(context);
    const probe = httpProbe();

    asked[0].answer(502);

    assert.equal(await probe, 502);
  });

  test("that hangs ends after a while; until then there is no other", async (context) => {
    const { asked, limits } = browsing(context);
    const probes = [httpProbe(), httpProbe()];
    await settled();
    assert.equal(asked.length, 1);

    limits[0].passes();

    assert.deepEqual(await Promise.all(probes), [0, 0]);
    assert.equal(limits[0].within, 10_000);
    httpProbe();
    assert.equal(asked.length, 2);
    asked[1].answer(200);
    await settled();
  });
});
