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

describe("a paste in brackets that is cancelled", () => {
  const OPEN = "\x1b[200~";
  const CLOSE = "\x1b[201~";

  /** Cancelled when so many bytes had been counted, of 14 that were sent. */
  function cancelled(counted, { answer = true, text = "12" } = {}) {
    const page = sitting();
    page.socket().hello();
    page.typing.paste(typeable(text, true).bytes);
    page.socket().event({ event: "counted", input: counted });
    page.typing.drop();
    page.connection.cancelInput();
    const sent = page.socket().typed.length;
    if (answer) page.socket().event({ event: "counted", input: sent, dropped: sent - counted });
    return { ...page, since: () => page.socket().typed.slice(sent), sent };
  }

  test("is closed before anything else is typed", () => {
    const { since, connection, socket, sent } = cancelled(7, { answer: false });
    connection.type(bytes("ls\r"));
    assert.equal(since(), "");

    socket().event({ event: "counted", input: sent, dropped: sent - 7 });

    assert.equal(since(), `${CLOSE}ls\r`);
  });

  test("is closed at once when most of it was not even sent", () => {
    const { typing, socket, connection, clock, count } = sitting();
    socket().hello();
    typing.paste(typeable("echo\n".repeat(100), true).bytes, 100);
    for (let portion = 0; portion < 10; portion += 1) {
      clock.advance(50);
      count();
    }
    const before = socket().typed;

    typing.drop();
    connection.cancelInput();
    typing.type(bytes("ls\r"));

    assert.ok(before.startsWith(`${OPEN}echo`));
    assert.equal(socket().typed.slice(before.length), `${CLOSE}ls\r`);
  });

  test("is not closed where the guest has had none of it, or all", () => {
    for (const counted of [0, 5, 14]) assert.equal(cancelled(counted).since(), "");
    for (const counted of [6, 13]) assert.equal(cancelled(counted).since(), CLOSE);
  });

  test("is closed again, if the bracket was cancelled with the next paste", () => {
    const { typing, connection, socket, since, sent } = cancelled(7);
    typing.paste(typeable("34", true).bytes);
    typing.drop();
    connection.cancelInput();
    socket().event({ event: "counted", input: sent + 20, dropped: 20 });

    assert.equal(since(), `${CLOSE}${OPEN}34${CLOSE}${CLOSE}`);
    socket().event({ event: "counted", input: sent + 26 });
    connection.cancelInput();
    assert.ok(since().endsWith(`34${CLOSE}${CLOSE}`));
  });

  test("is closed before a paste that was begun meanwhile", () => {
    const { typing, socket, since, sent } = cancelled(7, { answer: false });
    typing.paste(typeable("34", true).bytes);

    socket().event({ event: "counted", input: sent, dropped: sent - 7 });

    assert.equal(since(), `${CLOSE}${OPEN}34${CLOSE}`);
  });

  test("is closed by the next connection", () => {
    const { connection, socket, clock } = cancelled(7, { answer: false });
    connection.type(bytes("x"));
    socket().break();
    clock.advance(1_000);

    socket().hello({ resumed: true, input: 8 });
    socket().event({ event: "counted", input: 14, dropped: 6 });

    assert.equal(socket().typed, `${CLOSE}x`);
  });

  test("is not closed at a console which doesn't know us", () => {
    const { socket, clock, connection } = cancelled(7, { answer: false });
    socket().break();
    clock.advance(1_000);

    socket().hello({ resumed: false, resume: "OTHER", input: 0 });
    connection.type(bytes("x"));

    assert.equal(socket().typed, "x");
  });

  test("is recognized in portions of any size", () => {
    for (const size of [1, 4, 7]) {
      const { connection, socket } = sitting();
      socket().hello();
      const pasted = typeable("12345", true).bytes.subarray(0, -1);
      for (let at = 0; at < pasted.length; at += size) connection.type(pasted.subarray(at, at + size));
      socket().event({ event: "counted", input: pasted.length });

      connection.cancelInput();

      assert.ok(socket().typed.endsWith(CLOSE));
    }
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
