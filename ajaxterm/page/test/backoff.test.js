import assert from "node:assert/strict";
import { test } from "node:test";

import { Backoff } from "../src/backoff.js";

test("delays lie between 0.5 s and 15 s, and grow", () => {
  const shortest = new Backoff(() => 0);
  const longest = new Backoff(() => 1);

  const least = Array.from({ length: 8 }, () => shortest.next());
  const most = Array.from({ length: 8 }, () => longest.next());

  assert.deepEqual(least, [500, 1000, 2000, 4000, 7500, 7500, 7500, 7500]);
  assert.deepEqual(most, [1000, 2000, 4000, 8000, 15_000, 15_000, 15_000, 15_000]);
});

test("a reset begins anew", () => {
  const backoff = new Backoff(() => 0);
  backoff.next();
  backoff.next();

  backoff.reset();

  assert.equal(backoff.next(), 500);
});
