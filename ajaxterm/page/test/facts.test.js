import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { changedBy, factsOf, isLockedOut } from "../src/facts.js";
import { HELLO, bytes, connecting } from "./fakes.js";

describe("what the server says of the console", () => {
  test("an older server says little", () => {
    const facts = factsOf(HELLO, 0);

    assert.deepEqual([facts.abilities, facts.recording, facts.keyboard, facts.notices], [[], false, null, []]);
    assert.equal(isLockedOut(facts), false);
  });

  test("a countdown has a deadline by our clock, and is called off", () => {
    const facts = factsOf({ ...HELLO, ending: { reason: "idle", in: 42, message: "Soon." } }, 1_000);
    assert.deepEqual(facts.ending, { reason: "idle", deadline: 43_000, message: "Soon." });

    assert.equal(changedBy(facts, { event: "ending", reason: null }, 2_000).ending, null);
  });

  test("a notice lasts until its name comes without words", () => {
    let facts = factsOf({ ...HELLO, notices: [{ name: "silent", message: "Nothing yet." }] }, 0);
    facts = changedBy(facts, { event: "notice", name: "other-reader", message: "virsh reads too." }, 0);
    facts = changedBy(facts, { event: "notice", name: "silent", message: "" }, 0);

    assert.deepEqual(facts.notices, [{ name: "other-reader", message: "virsh reads too." }]);
  });

  test("who may only read is not locked out by a keyboard", () => {
    const facts = factsOf({ ...HELLO, keyboard: "v9" }, 0);

    assert.equal(isLockedOut(facts), true);
    assert.equal(isLockedOut({ ...facts, mode: "ro" }), false);
    assert.equal(isLockedOut({ ...facts, viewer: "v9" }), false);
  });

  test("what is no fact is taken for none", () => {
    const facts = factsOf({ ...HELLO, notices: "x", abilities: 7, keyboard: {}, ending: 3, title: [] }, 0);

    assert.deepEqual([facts.notices, facts.abilities, facts.keyboard, facts.ending, facts.title], [[], [], null, null, ""]);
  });
});

describe("a connection", () => {
  test("notes that the keyboard changed hands", () => {
    const { socket, connection, screen } = connecting();
    socket().hello();

    socket().event({ event: "keyboard", holder: "v2", by: "v2", offset: 0 });

    assert.equal(connection.state.keyboard, "v2");
    assert.deepEqual(screen.shown, ["keyboard v2 by v2"]);
  });

  test("asks only while it is there", () => {
    const { socket, connection } = connecting();
    assert.equal(connection.ask({ do: "break" }), false);
    socket().hello();

    assert.equal(connection.ask({ do: "break" }), true);
    assert.deepEqual(socket().said.at(-1), { do: "break" });
  });

  test("a logout that was called off is forgotten", () => {
    const { socket, connection } = connecting();
    socket().hello();

    socket().event({ event: "logout", state: "trying", message: "Logging out." });
    assert.deepEqual(connection.state.logout, { state: "trying", message: "Logging out." });
    socket().event({ event: "logout", state: "off", message: "" });

    assert.equal(connection.state.logout, null);
  });

  test("input refused is not sent again, nor what would have followed it", () => {
    const { socket, connection, clock } = connecting();
    socket().hello();
    connection.type(bytes("aa"));
    socket().bufferedAmount = 100_000;
    connection.type(bytes("bb"));

    socket().event({ event: "counted", input: 2, dropped: 2 });
    socket().event({ event: "refused", what: "input", message: "No." });
    connection.type(bytes("cc"));
    socket().break();
    clock.advance(1_000);
    socket().hello({ resumed: true, input: 2 });

    assert.equal(socket().typed, "cc");
  });

  test("cancelling drops what was not sent, and asks for the rest", () => {
    const { socket, connection, screen } = connecting();
    socket().hello();
    connection.type(bytes("sent"));
    socket().bufferedAmount = 100_000;
    connection.type(bytes("waiting"));

    connection.cancelInput();
    socket().event({ event: "counted", input: 4, dropped: 3 });

    assert.deepEqual(socket().said.at(-1), { do: "cancel_input", below: 4 });
    assert.deepEqual(screen.shown, ["cancelled 7", "cancelled 3"]);
    assert.equal(connection.state.uncounted, 0);
  });

  test("another console is another screen, and gets nothing that was typed", () => {
    const { socket, connection, screen, clock } = connecting();
    socket().hello({ offset: 10, live: 10 });
    socket().break();
    connection.type(bytes("ls"));
    clock.advance(1_000);

    socket().hello({ console: "C2", offset: 500, live: 500, resumed: false });

    assert.deepEqual(screen.shown, ["started anew", "undelivered 2"]);
    assert.equal(connection.state.offset, 500);
  });
});
