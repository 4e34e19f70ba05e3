import assert from "node:assert/strict";
import { test } from "node:test";

import { Outbox } from "../src/outbox.js";
import { bytes } from "./fakes.js";

const text = (some) => new TextDecoder().decode(some);

test("bytes are kept until they are counted", () => {
  const outbox = new Outbox();
  outbox.add(bytes("abcdef"));

  assert.equal(text(outbox.take(4)), "abcd");
  outbox.counted(3);

  assert.equal(outbox.length, 3);
  assert.equal(outbox.unsent, 2);
  assert.equal(text(outbox.take(100)), "ef");
});

test("what doesn't fit is refused as a whole", () => {
  const outbox = new Outbox(4);
  outbox.add(bytes("abc"));

  assert.equal(outbox.add(bytes("de")), false);
  assert.equal(outbox.add(bytes("d")), true);
  assert.equal(text(outbox.take(10)), "abcd");
});

test("counting what was never sent forgets nothing unsent", () => {
  const outbox = new Outbox();
  outbox.add(bytes("abc"));
  outbox.take(1);

  outbox.counted(1000);

  assert.equal(text(outbox.take(10)), "bc");
});

test("an old count changes nothing", () => {
  const outbox = new Outbox();
  outbox.add(bytes("abc"));
  outbox.take(3);
  outbox.counted(2);

  outbox.counted(1);

  assert.equal(outbox.length, 1);
});

test("resuming sends again what is above the count", () => {
  const outbox = new Outbox();
  outbox.add(bytes("abcdef"));
  outbox.take(5);

  assert.equal(outbox.resume(2), true);

  assert.equal(text(outbox.take(10)), "cdef");
});

test("a count that can't be is refused", () => {
  const outbox = new Outbox();
  outbox.add(bytes("abc"));
  outbox.take(2);
  outbox.counted(1);

  assert.equal(outbox.resume(0), false);
  assert.equal(outbox.resume(3), false);
  assert.equal(outbox.resume(NaN), false);
  assert.equal(outbox.length, 2);
});

test("numbers go on over several rounds", () => {
  const outbox = new Outbox(8);
  for (let round = 0; round < 100; round += 1) {
    assert.ok(outbox.add(bytes("abcde")));
    assert.equal(text(outbox.take(10)), "abcde");
    outbox.counted((round + 1) * 5);
  }
  assert.equal(outbox.length, 0);
});

test("what was cancelled keeps its numbers, and is not sent again", () => {
  const outbox = new Outbox();
  outbox.add(bytes("abcdef"));
  outbox.take(4);

  assert.equal(outbox.cancel(), 2);
  outbox.add(bytes("xy"));

  assert.equal(outbox.cancelling, true);
  assert.equal(outbox.resume(1), true);
  assert.equal(outbox.cancelling, true);
  assert.equal(outbox.next, 4);
  outbox.counted(4);
  assert.equal(outbox.cancelling, false);
  assert.equal(text(outbox.take(10)), "xy");
});

test("cancelled is also what only an earlier connection has sent", () => {
  const outbox = new Outbox();
  outbox.add(bytes("abcdef"));
  outbox.take(6);
  outbox.resume(2);
  outbox.take(1);

  assert.equal(outbox.cancel(), 0);

  assert.equal(outbox.next, 6);
  assert.equal(outbox.resume(4), true);
  assert.equal(outbox.next, 6);
  assert.equal(outbox.clear(), 0);
});
