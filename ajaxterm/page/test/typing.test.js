import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Typing, typeable } from "../src/typing.js";
import { bytes, connecting } from "./fakes.js";

const KIB = 1024;

function sitting() {
  const page = connecting();
  const refused = [];
  const typing = new Typing({
    connection: page.connection,
    clock: page.clock,
    refused: (why) => refused.push(why),
    changed: () => {},
  });
  /** The server counts all that it was sent so far. */
  const count = () => {
    const sent = page.socket().sent.filter((message) => typeof message !== "string");
    page.socket().event({ event: "counted", input: sent.reduce((sum, { length }) => sum + length, 0) });
    typing.look();
  };
  return { ...page, typing, refused, count };
}

describe("a paste", () => {
  test("of 1 MiB arrives whole and in order, a part at a time", () => {
    const { typing, socket, count, clock } = sitting();
    socket().hello();
    const text = Uint8Array.from({ length: KIB * KIB }, (_, at) => 32 + ((at * 7) % 90));

    typing.paste(text);
    assert.equal(socket().typed.length, 64 * KIB);
    assert.deepEqual(typing.progress, { done: 0, total: KIB * KIB, pace: 0 });
    while (typing.progress) {
      count();
      clock.advance(50);
    }

    assert.deepEqual(bytes(socket().typed), text);
  });

  test("makes what is typed meanwhile wait behind it", () => {
    const { typing, socket, count, clock } = sitting();
    socket().hello();

    typing.paste(new Uint8Array(100 * KIB).fill(97));
    typing.type(bytes("Z"));
    while (typing.progress) {
      count();
      clock.advance(50);
    }
    typing.type(bytes("!"));

    assert.equal(socket().typed.length, 100 * KIB + 2);
    assert.ok(socket().typed.endsWith("aZ!"));
  });

  test("goes at a pace", () => {
    const { typing, socket, clock, count } = sitting();
    socket().hello();
    const after = [];

    typing.paste(new Uint8Array(1_000).fill(97), 200);
    for (let second = 0; second < 3; second += 1) {
      for (let portion = 0; portion < 20; portion += 1) {
        count();
        clock.advance(50);
      }
      after.push(socket().typed.length);
    }

    assert.deepEqual(after, [210, 410, 610]);
  });

  test("that is cancelled goes no further", () => {
    const { typing, socket, count, clock } = sitting();
    socket().hello();
    typing.paste(new Uint8Array(100 * KIB));

    assert.equal(typing.drop(), 36 * KIB);
    count();
    clock.advance(1_000);

    assert.equal(socket().typed.length, 64 * KIB);
    assert.equal(typing.progress, null);
  });

  test("too large is refused as a whole", () => {
    const { typing, socket, refused } = sitting();
    socket().hello();

    typing.paste(new Uint8Array(5 * KIB * KIB));

    assert.deepEqual([refused, socket().typed, typing.progress], [["full"], "", null]);
  });

  test("by who may only read is refused once", () => {
    const { typing, socket, refused, clock } = sitting();
    socket().hello({ mode: "ro" });

    typing.paste(new Uint8Array(100 * KIB));
    clock.advance(1_000);

    assert.deepEqual([refused, typing.progress], [["read-only"], null]);
  });
});

describe("text to paste", () => {
  const text = (pasted) => new TextDecoder().decode(pasted.bytes);

  test("ends its lines with Enter", () => {
    assert.equal(text(typeable("a\r\nb\nc\r", false)), "a\rb\rc\r");
    assert.equal(typeable("a\nb\n", false).lines, 2);
    assert.equal(typeable("one", false).endsLine, false);
    assert.equal(typeable("one\n", false).endsLine, true);
  });

  test("leaves control characters out, but no tabs and no letters", () => {
    const pasted = typeable("\tčau\x1b[201~\x03\x9b☃", true);

    assert.equal(text(pasted), "\x1b[200~\tčau[201~☃\x1b[201~");
    assert.equal(pasted.controls, 3);
  });
});
