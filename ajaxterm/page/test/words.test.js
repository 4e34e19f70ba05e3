import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { cardsOf } from "../src/cards.js";
import { factsOf } from "../src/facts.js";
import { changeOfHands, keyboardOf, lockedOutBy, wishOf } from "../src/keyboard.js";
import { controlled } from "../src/keys.js";
import { Preferences, nextFontSize } from "../src/preferences.js";
import { shortcutOf } from "../src/shortcuts.js";
import { HELLO, bytes } from "./fakes.js";

const VIEWERS = [
  { name: "v1", user: "ann", mode: "rw" },
  { name: "v2", user: "bob", mode: "rw" },
];
const stateOf = (fields = {}) => ({
  ...factsOf(HELLO, 0),
  viewers: VIEWERS,
  name: "connected",
  uncounted: 0,
  ...fields,
});

describe("the keyboard", () => {
  test("is for all, ours, or somebody else's", () => {
    const faces = [null, "v1", "v2"].map((keyboard) => keyboardOf(stateOf({ keyboard })));

    assert.deepEqual(
      faces.map(({ holding, face }) => [holding, face]),
      [
        ["shared", "Shared"],
        ["yours", "Yours"],
        ["theirs", "bob"],
      ],
    );
    assert.match(faces[2].hint, /only bob \(v2\) can type. Press/);
  });

  test("can't be taken by who may only read, or isn't there", () => {
    assert.equal(keyboardOf(stateOf({ mode: "ro" })).canChange, false);
    assert.equal(keyboardOf(stateOf({ name: "reconnecting" })).canChange, false);
  });

  test("is given back by who has it, and taken by who hasn't", () => {
    assert.deepEqual(wishOf(stateOf({ keyboard: "v1" })), { do: "give_keyboard", to: null });
    assert.deepEqual(wishOf(stateOf({ keyboard: "v2" })), { do: "take_keyboard" });
    assert.deepEqual(wishOf(stateOf()), { do: "take_keyboard" });
  });

  test("changes hands with words", () => {
    const words = (holder, by) => changeOfHands(stateOf(), holder, by);

    assert.equal(words("v2", "v2"), "bob (v2) has taken the keyboard.");
    assert.equal(words("v1", "v1"), "You have the keyboard; the others can watch.");
    assert.equal(words("v1", "v2"), "bob (v2) has given you the keyboard.");
    assert.equal(words("v2", "v1"), "You have given the keyboard to bob (v2).");
    assert.equal(words(null, "v2"), "bob (v2) has given the keyboard back to all.");
    assert.equal(words(null, null), "The keyboard is for all again.");
  });

  test("of somebody else is said to who types", () => {
    assert.equal(lockedOutBy(stateOf()), "");
    assert.match(lockedOutBy(stateOf({ keyboard: "v2" })), /^bob \(v2\) has the keyboard/);
  });
});

describe("cards", () => {
  const actions = { stay() {}, cancel() {}, dismiss() {} };
  const titles = (state, progress = null) => cardsOf(state, progress, 1_000, actions).map(({ key }) => key);

  test("there are none when all is well", () => {
    assert.deepEqual(titles(stateOf()), []);
  });

  test("a countdown counts by our clock, and can be called off", () => {
    const ending = { reason: "idle", message: "", deadline: 43_000 };

    const [card] = cardsOf(stateOf({ ending }), null, 1_000, actions);

    assert.deepEqual([card.ticking, card.words, card.action?.text], ["In 42 s", "Nobody is using it.", "Stay"]);
  });

  test("a paste shows how far it is, a short one nothing", () => {
    assert.deepEqual(titles(stateOf(), { done: 10, total: 100, pace: 0 }), []);
    assert.deepEqual(titles(stateOf(), { done: 10, total: 100, pace: 20 }), ["paste"]);
    const [card] = cardsOf(stateOf(), { done: 512 * 1024, total: 1024 * 1024, pace: 0 }, 0, actions);
    assert.equal(card.ticking, "512 KiB of 1 MiB");
  });

  test("what waits for a line that takes nothing can be cancelled", () => {
    assert.deepEqual(titles(stateOf({ held: true })), []);
    assert.deepEqual(titles(stateOf({ held: true, uncounted: 3 })), ["held"]);
  });

  test("how a logout went is told", () => {
    const kinds = ["trying", "out", "in", "unknown"].map(
      (state) => cardsOf(stateOf({ logout: { state, message: "" } }), null, 0, actions)[0].kind,
    );

    assert.deepEqual(kinds, ["quiet", "good", "bad", "bad"]);
  });

  test("notices are for who is there, and hostile words are made harmless", () => {
    const notices = [{ name: "silent", message: "Nothing\x1b[2J yet\u202e" }];

    assert.deepEqual(titles(stateOf({ notices, name: "reconnecting" })), []);
    assert.equal(cardsOf(stateOf({ notices }), null, 0, actions)[0].words, "Nothing [2J yet");
  });
});

describe("keys", () => {
  const plainKey = { key: "", code: "", ctrlKey: false, shiftKey: false, altKey: false, metaKey: false };
  const pressed = (fields) => shortcutOf({ ...plainKey, ...fields });

  test("of the page are few", () => {
    const both = { ctrlKey: true, shiftKey: true };
    assert.equal(pressed({ ...both, code: "KeyF", key: "F" }), "find");
    assert.equal(pressed({ ...both, code: "KeyC" }), "copy");
    assert.equal(pressed({ ctrlKey: true, key: "Insert" }), "copy");
    assert.equal(pressed({ shiftKey: true, key: "Insert" }), "paste");
    assert.equal(pressed({ ctrlKey: true, key: "F6" }), "bar");
    assert.equal(pressed({ ...both, code: "Period" }), "larger");
  });

  test("of the guest are all others", () => {
    for (const fields of [
      { ctrlKey: true, code: "KeyC", key: "c" },
      { ctrlKey: true, code: "KeyF", key: "f" },
      { key: "Tab" },
      { key: "Escape" },
      { key: "Insert" },
      { ctrlKey: true, shiftKey: true, altKey: true, code: "KeyF" },
    ]) {
      assert.equal(pressed(fields), null);
    }
  });

  test("with Ctrl are control characters", () => {
    const typed = (text) => String.fromCharCode(...controlled(bytes(text)));

    assert.deepEqual(["c", "C", "[", "@", " ", "?"].map(typed), ["\x03", "\x03", "\x1b", "\0", "\0", "\x7f"]);
    assert.deepEqual(["1", "\r", "ls"].map(typed), ["1", "\r", "ls"]);
    assert.deepEqual(controlled(bytes("č")), bytes("č"));
  });
});

describe("preferences", () => {
  const storage = (kept) => ({
    kept,
    getItem() {
      return this.kept;
    },
    setItem(_key, value) {
      this.kept = value;
    },
  });

  test("are kept, and told to who follows", () => {
    const store = storage(null);
    const preferences = new Preferences(() => store);
    const told = [];
    preferences.follow(({ fontSize }) => told.push(fontSize));

    preferences.change({ fontSize: 18 });

    assert.deepEqual(told, [0, 18]);
    assert.equal(new Preferences(() => store).liking.fontSize, 18);
  });

  test("survive a browser that forbids keeping, and what others put there", () => {
    const forbidden = () => {
      throw new Error("SecurityError");
    };
    const preferences = new Preferences(forbidden);
    preferences.change({ theme: "light" });
    assert.equal(preferences.liking.theme, "light");

    for (const odd of ["{", "null", '{"fontSize": 10000, "theme": "x", "pace": -1, "keyRow": 3}']) {
      assert.deepEqual(new Preferences(() => storage(odd)).liking, new Preferences(() => storage("{}")).liking);
    }
  });

  test("text grows and shrinks in steps, with ends", () => {
    assert.equal(nextFontSize(14, 1), 15);
    assert.equal(nextFontSize(14, -1), 13);
    assert.equal(nextFontSize(32, 1), 32);
    assert.equal(nextFontSize(8, -1), 8);
  });
});
