import assert from "node:assert/strict";
import { test } from "node:test";

import { plain } from "../src/plain.js";

test("ordinary text stays as it is", () => {
  assert.equal(plain("web1 sériový 日本 0", 100), "web1 sériový 日本 0");
});

test("control characters and turned writing directions are taken out", () => {
  assert.equal(plain("a\x1b]0;b\n\u202Ec\u2028d", 100), "a ]0;b c d");
});

test("long text is cut where a character ends", () => {
  assert.equal(plain("😀😀😀😀", 3), "😀😀…");
});
