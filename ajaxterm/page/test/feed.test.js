import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";

import headless from "@xterm/headless";

import { Feed } from "../src/feed.js";
import { bytes } from "./fakes.js";

/** Everything that xterm.js answers without a window; DECRQSS asks for the margins. */
const QUESTIONS = {
  DA1: "\x1b[c",
  DA2: "\x1b[>c",
  DSR: "\x1b[5n",
  CPR: "\x1b[6n",
  DECXCPR: "\x1b[?6n",
  DECRQM: "\x1b[?25$p",
  "DECRQM of a mode of ANSI": "\x1b[4$p",
  DECRQSS: "\x1bP$qr\x1b\\",
};

describe("a feed", () => {
  let terminal, feed, typed, answered;

  const write = (text, replayed) =>
    new Promise((resolve) => {
      const all = bytes(text);
      let left = all.length;
      feed.write(all, replayed, (count) => {
        left -= count;
        if (left === 0) resolve();
      });
    });
  const textOf = (sent) => sent.map((some) => new TextDecoder().decode(some)).join("");

  beforeEach(() => {
    typed = [];
    answered = [];
    terminal = new headless.Terminal({ rows: 24, cols: 80, allowProposedApi: true });
    feed = new Feed(
      terminal,
      (some) => typed.push(some),
      (some) => answered.push(some),
    );
    feed.answering = true;
  });

  for (const [name, question] of Object.entries(QUESTIONS)) {
    test(`answers ${name} when it is asked live`, async () => {
      await write(question, false);

      assert.match(textOf(answered), /^\x1b[[P]/);
      assert.deepEqual(typed, []);
    });

    test(`doesn't answer ${name} when it is replayed`, async () => {
      await write(question, true);

      assert.deepEqual([answered, typed], [[], []]);
    });
  }

  test("answers nothing unless it is the one that answers", async () => {
    feed.answering = false;

    await write(Object.values(QUESTIONS).join(""), false);

    assert.deepEqual([answered, typed], [[], []]);
  });

  test("keeps replay and live apart when both are waiting to be parsed", async () => {
    write("\x1b[5n\x1b[5n", true);
    write("\x1b[6n", false);

    await write("\x1b[5n", true);

    assert.equal(textOf(answered), "\x1b[1;1R");
  });

  test("answers a question whose last byte is live", async () => {
    write("\x1b[5", true);

    await write("n", false);

    assert.equal(textOf(answered), "\x1b[0n");
  });

  test("passes on what the user types, also in the middle of a replay", async () => {
    const replay = write("\x1b[5n".repeat(50_000), true);
    terminal.input("ls\r", true);
    await Promise.resolve();
    terminal.input("čau", true);
    await replay;

    assert.equal(textOf(typed), "ls\rčau");
    assert.deepEqual(answered, []);
  });

  test("passes on what the user types when another terminal answers", () => {
    feed.answering = false;

    terminal.input("x", true);

    assert.equal(textOf(typed), "x");
  });

  test("takes a key for a key and an answer for an answer, in turn", async () => {
    terminal.input("a", true);
    await write("\x1b[5n", false);
    terminal.input("b", true);

    assert.equal(textOf(typed), "ab");
    assert.equal(textOf(answered), "\x1b[0n");
  });

  test("shows a character that was split between messages", async () => {
    const snowman = bytes("☃");

    feed.write(snowman.subarray(0, 1), false, () => {});
    await new Promise((resolve) => feed.write(snowman.subarray(1), false, resolve));

    assert.equal(terminal.buffer.active.getLine(0).translateToString(true), "☃");
  });

  test("shows a note even inside a sequence and a character that were cut", async () => {
    write("one\x1b]0;half a title", true);
    feed.note("5 bytes are gone");
    feed.write(bytes("☃").subarray(0, 2), true, () => {});
    feed.note("again");

    await write("two", false);

    const lines = [0, 1, 2, 3, 4, 5].map((row) => terminal.buffer.active.getLine(row).translateToString(true).trim());
    assert.equal(lines[0], "one");
    assert.equal(lines[1], "5 bytes are gone");
    assert.ok(lines.includes("again") && lines.includes("two"), lines.join("|"));
  });

  test("clears the screen and what was scrolled away", async () => {
    await write("line\r\n".repeat(100), true);

    feed.clear();
    await write("new", false);

    assert.equal(terminal.buffer.active.length, 24);
    assert.equal(terminal.buffer.active.getLine(0).translateToString(true), "new");
  });
});
