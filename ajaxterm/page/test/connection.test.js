import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { bytes, connecting, settled } from "./fakes.js";

const MIB = 1024 * 1024;

describe("attaching", () => {
  test("the first attach asks for nothing", () => {
    const { connection, socket } = connecting();

    socket().open();

    assert.deepEqual(socket().said, [{ do: "attach", resume: null, offset: null, console: null }]);
    assert.equal(connection.state.name, "connecting");
  });

  test("hello says what the console is", () => {
    const { connection, socket } = connecting();

    socket().hello({ mode: "ro", title: "web1 serial1" });

    const { name, mode, title } = connection.state;
    assert.deepEqual({ name, mode, title }, { name: "connected", mode: "ro", title: "web1 serial1" });
  });

  test("a console without a guest is waiting, and says why", () => {
    const { connection, socket } = connecting();
    socket().hello();

    socket().event({ event: "line", state: "waiting", message: "web1 is shut off" });

    assert.equal(connection.state.name, "waiting");
    assert.equal(connection.state.message, "web1 is shut off");
  });

  test("another version of the protocol ends it", () => {
    const { connection, socket } = connecting();

    socket().hello({ version: 2 });

    assert.equal(connection.state.name, "ended");
    assert.equal(connection.state.reason, "version");
    assert.ok(socket().closed);
  });

  test("unknown events and broken ones are ignored", () => {
    const { connection, socket } = connecting();
    socket().hello();

    socket().event({ event: "fanfare" });
    socket().event(null);
    socket().onmessage({ data: "{" });

    assert.equal(connection.state.name, "connected");
  });

  test("a socket that never says hello is given up", () => {
    const { connection, socket, sockets, clock } = connecting();
    socket().open();

    clock.advance(15_000);

    assert.ok(sockets[0].closed);
    assert.equal(connection.state.name, "reconnecting");
  });
});

describe("output", () => {
  test("the offset counts what the screen was given", () => {
    const { connection, socket } = connecting();
    socket().hello({ offset: 1000, live: 1000 });

    socket().output("abc");

    assert.equal(connection.state.offset, 1003);
  });

  test("what is below live is replayed, what is above isn't", () => {
    const { socket, screen } = connecting();
    socket().hello({ offset: 10, live: 14 });

    socket().output("ab");
    socket().output("cdef");
    socket().output("gh");

    assert.deepEqual(screen.shown, [
      ["ab", "replayed"],
      ["cd", "replayed"],
      ["ef", "live"],
      ["gh", "live"],
    ]);
  });

  test("a later connection asks for the next byte, with its key", () => {
    const { socket, clock } = connecting();
    socket().hello({ offset: 10 });
    socket().output("abc");

    socket().break();
    clock.advance(1_000);
    socket().open();

    assert.deepEqual(socket().said, [{ do: "attach", resume: "KEY", offset: 13, console: "C1" }]);
  });

  test("a higher offset than asked for is a visible gap", () => {
    const { socket, clock, screen } = connecting();
    socket().hello();
    socket().output("abc");
    socket().break();
    clock.advance(1_000);

    socket().hello({ resumed: true, offset: 103, live: 200 });

    assert.equal(screen.shown.at(-1), "missed 100");
  });

  test("a lower offset than asked for clears the screen", () => {
    const { socket, clock, screen, connection } = connecting();
    socket().hello();
    socket().output("abc");
    socket().break();
    clock.advance(1_000);

    socket().hello({ offset: 0, live: 1 });
    socket().output("x");

    assert.deepEqual(screen.shown.slice(1), ["started anew", ["x", "replayed"]]);
    assert.equal(connection.state.offset, 1);
  });

  test("the offset that was asked for shows nothing", () => {
    const { socket, clock, screen } = connecting();
    socket().hello();
    socket().output("abc");
    socket().break();
    clock.advance(1_000);

    socket().hello({ resumed: true, offset: 3, live: 3 });

    assert.equal(screen.shown.length, 1);
  });

  test("a gap is shown, and output goes on behind it", () => {
    const { socket, screen, connection } = connecting();
    socket().hello();
    socket().output("abc");

    socket().event({ event: "gap", missed: 5000, offset: 5003 });
    socket().output("d");

    assert.equal(screen.shown[1], "missed 5000");
    assert.equal(connection.state.offset, 5004);
  });

  test("a screen that can't follow drops the connection, and goes on when it has caught up", () => {
    const { socket, sockets, screen, connection } = connecting();
    socket().hello({ live: 0 });
    screen.slow = true;

    for (let sent = 0; sent < 17; sent += 1) socket().outputOf(MIB);

    assert.ok(sockets[0].closed);
    assert.equal(connection.state.name, "behind");
    assert.equal(connection.state.pending, 17 * MIB);

    screen.catchUp();
    socket().open();

    assert.equal(sockets.length, 2);
    assert.deepEqual(socket().said, [{ do: "attach", resume: "KEY", offset: 17 * MIB, console: "C1" }]);
  });
});

describe("answering", () => {
  test("a terminal answers nothing until it is named", () => {
    const { socket, screen } = connecting();
    socket().hello({ viewer: "v3" });
    assert.equal(screen.answering, false);

    socket().event({ event: "viewers", viewers: [], answering: "v3" });
    assert.equal(screen.answering, true);

    socket().event({ event: "viewers", viewers: [], answering: "v4" });
    assert.equal(screen.answering, false);
  });

  test("whoever has the keyboard alone answers", () => {
    const { socket, screen } = connecting();
    socket().hello({ viewer: "v3", keyboard: "v4" });
    socket().event({ event: "viewers", viewers: [], answering: "v3" });
    assert.equal(screen.answering, false);

    socket().event({ event: "keyboard", holder: "v3", by: "v3" });
    assert.equal(screen.answering, true);

    socket().event({ event: "keyboard", holder: null, by: "v3" });
    assert.equal(screen.answering, true);
  });

  test("a broken connection takes the leave to answer away", () => {
    const { socket, screen } = connecting();
    socket().hello();
    socket().event({ event: "viewers", viewers: [], answering: "v1" });

    socket().break();

    assert.equal(screen.answering, false);
  });

  test("an answer without a connection is dropped", () => {
    const { socket, connection, clock } = connecting();
    socket().hello();
    socket().break();

    connection.answer(bytes("\x1b[0n"));
    clock.advance(1_000);
    socket().hello({ resumed: true });

    assert.equal(socket().typed, "");
  });
});

describe("input", () => {
  test("what is typed is sent", () => {
    const { socket, connection } = connecting();
    socket().hello();

    assert.equal(connection.type(bytes("ls\r")), "taken");

    assert.equal(socket().typed, "ls\r");
  });

  test("a message of input is 16 KiB at the most", () => {
    const { socket, connection } = connecting();
    socket().hello();

    connection.type(new Uint8Array(40_000));

    const lengths = socket().sent.filter((message) => typeof message !== "string").map(({ length }) => length);
    assert.deepEqual(lengths, [16_384, 16_384, 7_232]);
  });

  test("a socket that is full is waited for", () => {
    const { socket, connection, clock } = connecting();
    socket().hello();
    socket().bufferedAmount = 100_000;

    connection.type(bytes("ls"));
    clock.advance(100);
    assert.equal(socket().typed, "");

    socket().bufferedAmount = 0;
    clock.advance(100);
    assert.equal(socket().typed, "ls");
  });

  test("more than fits is refused as a whole", () => {
    const { socket, connection } = connecting();
    socket().hello();
    connection.type(new Uint8Array(200 * 1024));

    assert.equal(connection.type(new Uint8Array(100 * 1024)), "full");
    assert.equal(connection.state.uncounted, 200 * 1024);

    socket().event({ event: "counted", input: 200 * 1024 });
    assert.equal(connection.type(new Uint8Array(100 * 1024)), "taken");
  });

  test("a viewer who may only read sends nothing", () => {
    const { socket, connection } = connecting();
    socket().hello({ mode: "ro" });

    assert.equal(connection.type(bytes("ls")), "read-only");
    connection.answer(bytes("\x1b[0n"));

    assert.equal(socket().typed, "");
  });

  test("what wasn't counted is sent again, once, if we are remembered", () => {
    const { socket, connection, clock } = connecting();
    socket().hello();
    connection.type(bytes("abcdef"));
    socket().event({ event: "counted", input: 2 });
    socket().break();
    clock.advance(1_000);

    socket().hello({ resumed: true, input: 4 });

    assert.equal(socket().typed, "ef");
    assert.equal(connection.state.uncounted, 2);
  });

  test("what is typed without a connection is held and sent later", () => {
    const { socket, connection, clock } = connecting();
    socket().hello();
    socket().break();
    assert.equal(connection.type(bytes("ls")), "taken");
    assert.equal(connection.state.unsent, 2);
    clock.advance(1_000);

    socket().hello({ resumed: true });

    assert.equal(socket().typed, "ls");
  });

  test("what is typed before the first hello is sent after it", () => {
    const { socket, connection } = connecting();
    connection.type(bytes("ls"));

    socket().hello({ input: 0 });

    assert.equal(socket().typed, "ls");
  });

  test("what was held for a console which doesn't know us is dropped, visibly", () => {
    const { socket, connection, clock, screen } = connecting();
    socket().hello();
    socket().break();
    connection.type(bytes("rm -r /\r"));
    clock.advance(1_000);

    socket().hello({ resume: "OTHER", resumed: false, input: 0 });
    connection.type(bytes("id"));

    assert.equal(socket().typed, "id");
    assert.deepEqual(screen.shown, ["undelivered 8"]);
  });

  test("what was held is dropped, visibly, if we may only read now", () => {
    const { socket, connection, clock, screen } = connecting();
    socket().hello();
    socket().break();
    connection.type(bytes("ls"));
    clock.advance(1_000);

    socket().hello({ resumed: true, mode: "ro" });

    assert.equal(socket().typed, "");
    assert.deepEqual(screen.shown, ["undelivered 2"]);
  });

  test("an end drops what was held, visibly, and refuses more", () => {
    const { socket, connection, clock, screen } = connecting();
    socket().hello();
    socket().break();
    connection.type(bytes("ls"));
    clock.advance(1_000);

    socket().break(4003);

    assert.equal(connection.type(bytes("x")), "ended");
    assert.deepEqual(screen.shown, ["undelivered 2"]);
  });
});

describe("cancelling input", () => {
  test("what is typed after it waits until the server has counted that far", () => {
    const { socket, connection } = connecting();
    socket().hello();
    connection.type(bytes("abc"));
    connection.cancelInput();

    connection.type(bytes("x"));
    assert.equal(socket().typed, "abc");
    socket().event({ event: "counted", input: 3, dropped: 2 });

    assert.equal(socket().typed, "abcx");
  });

  for (const [when, found] of [
    ["while there is no connection", ({ socket }) => socket().break()],
    ["on a connection that is dead unnoticed", () => {}],
  ]) {
    test(`${when}: nothing of it is sent again, and what is typed after it is, once`, () => {
      const page = connecting();
      const { socket, connection, clock } = page;
      socket().hello();
      connection.type(bytes("rm -rf /"));
      socket().event({ event: "counted", input: 2 });
      found(page);

      connection.cancelInput();
      connection.type(bytes("ls\r"));
      clock.advance(17_000);
      connection.reconnect();
      socket().hello({ resumed: true, input: 5 });
      assert.deepEqual([socket().typed, socket().said.at(-1)], ["", { do: "cancel_input", below: 8 }]);
      socket().event({ event: "counted", input: 8, dropped: 3 });

      assert.equal(socket().typed, "ls\r");
      assert.equal(connection.state.uncounted, 3);
    });
  }

  test("a server that counted it before the break needn't be told again", () => {
    const { socket, connection, clock } = connecting();
    socket().hello();
    connection.type(bytes("abc"));
    connection.cancelInput();
    connection.type(bytes("x"));
    socket().break();
    clock.advance(1_000);

    socket().hello({ resumed: true, input: 3 });

    assert.deepEqual([socket().typed, socket().said.at(-1).do], ["x", "attach"]);
  });

  test("a console which doesn't know us is told nothing of it", () => {
    const { socket, connection, clock, screen } = connecting();
    socket().hello();
    connection.type(bytes("abc"));
    connection.cancelInput();
    socket().break();
    clock.advance(1_000);

    socket().hello({ resume: "OTHER", resumed: false, input: 0 });
    connection.type(bytes("x"));

    assert.deepEqual([socket().typed, socket().said.at(-1).do], ["x", "attach"]);
    assert.deepEqual(screen.shown, []);
  });
});

describe("reconnecting", () => {
  test("delays grow from 0.5 s to 15 s, and tries never end", () => {
    const { socket, connection, clock, sockets } = connecting();
    const delays = [];

    for (let tries = 0; tries < 10; tries += 1) {
      socket().break();
      delays.push(connection.state.deadline - clock.now());
      clock.advance(delays.at(-1));
    }

    assert.deepEqual(delays, [500, 1000, 2000, 4000, 7500, 7500, 7500, 7500, 7500, 7500]);
    assert.equal(sockets.length, 11);
  });

  test("a connection that lived a while makes the next delay short", () => {
    const { socket, connection, clock } = connecting();
    for (let tries = 0; tries < 5; tries += 1) {
      socket().break();
      clock.advance(connection.state.deadline - clock.now());
    }
    socket().hello();
    clock.advance(4_000);
    socket().event({ event: "pong", sent: 0 });
    clock.advance(6_000);

    socket().break();

    assert.equal(connection.state.deadline - clock.now(), 500);
  });

  test("a server that takes and drops us at once isn't hammered", async () => {
    const { socket, sockets, connection, clock } = connecting();

    for (let tries = 0; tries < 6; tries += 1) {
      socket().hello({ resumed: tries > 0 });
      socket().break();
      const before = sockets.length;
      while (sockets.length === before) {
        clock.advance((connection.state.deadline ?? clock.now()) - clock.now());
        await settled();
      }
    }

    assert.ok(clock.now() > 20_000);
  });

  test("the network's return tries at once", () => {
    const { socket, sockets, connection } = connecting();
    socket().break();

    connection.awake();

    assert.equal(sockets.length, 2);
    assert.equal(connection.state.name, "reconnecting");
    assert.equal(connection.state.deadline, null);
  });

  test("the network's return doesn't undo an end, the user does", () => {
    const { socket, sockets, connection } = connecting();
    socket().hello();
    socket().break(1000);

    connection.awake();
    assert.equal(sockets.length, 1);

    connection.reconnect();
    assert.equal(sockets.length, 2);
  });

  test("the user can give up a try that takes long", () => {
    const { socket, sockets, connection } = connecting();
    socket().break();
    connection.reconnect();

    connection.reconnect();

    assert.ok(sockets[1].closed);
    assert.equal(sockets.length, 3);
  });

  test("a silent server is given up", () => {
    const { socket, connection, clock } = connecting();
    socket().hello();

    clock.advance(15_999);
    assert.equal(connection.state.name, "connected");
    clock.advance(1);

    assert.equal(connection.state.name, "reconnecting");
    assert.equal(connection.state.reason, "silent");
  });

  test("after a nap, silence is noticed sooner, but not at once", () => {
    const { socket, connection, clock } = connecting();
    socket().hello();

    connection.awake();
    connection.awake();
    clock.advance(4_999);
    assert.equal(connection.state.name, "connected");
    clock.advance(1);

    assert.equal(connection.state.name, "reconnecting");
  });

  test("a server that answers is kept, and the round trip is known", () => {
    const { socket, connection, clock } = connecting();
    socket().hello();

    for (let second = 0; second < 60; second += 1) {
      clock.advance(1_000);
      const { do: what, sent } = socket().said.at(-1);
      if (what === "ping") socket().event({ event: "pong", sent: sent - 12 });
    }

    assert.equal(connection.state.name, "connected");
    assert.ok(connection.state.roundTrip >= 12);
  });

  test("a socket that was let go can't do anything any more", () => {
    const { socket, sockets, connection, clock, screen } = connecting();
    socket().hello();
    const { onmessage } = sockets[0];
    clock.advance(16_000);

    assert.equal(sockets[0].onmessage, null);
    assert.equal(sockets[0].onclose, null);
    assert.ok(onmessage);
    assert.equal(connection.state.name, "reconnecting");
    assert.deepEqual(screen.shown, []);
  });
});

describe("ending", () => {
  for (const code of [1000, 1002, 1003, 1007, 1009, 4003]) {
    test(`close code ${code} is final`, () => {
      const { socket, connection, clock, sockets } = connecting();
      socket().hello();

      socket().break(code, "so it is");
      clock.advance(60_000);

      assert.equal(connection.state.name, "ended");
      assert.equal(connection.state.message, "so it is");
      assert.equal(sockets.length, 1);
    });
  }

  for (const code of [1001, 1006, 1011, 1012, 4008, 4029]) {
    test(`close code ${code} isn't`, () => {
      const { socket, connection } = connecting();
      socket().hello();

      socket().break(code);

      assert.equal(connection.state.name, "reconnecting");
    });
  }

  test("an end event says whether to retry, and why not", () => {
    const { socket, sockets, connection } = connecting();
    socket().hello();

    socket().event({ event: "end", reason: "revoked", message: "by ada", retry: false });

    const { name, reason, message } = connection.state;
    assert.deepEqual({ name, reason, message }, { name: "ended", reason: "revoked", message: "by ada" });
    assert.ok(sockets[0].closed);
  });

  test("an earlier connection of ours that comes late doesn't end the page", () => {
    for (const ended of [
      (socket) => socket.event({ event: "end", reason: "replaced", message: "Again.", retry: false }),
      (socket) => socket.break(1000, "replaced"),
    ]) {
      const { socket, connection, clock } = connecting();
      socket().hello();

      ended(socket());
      assert.equal(connection.state.name, "reconnecting");
      clock.advance(500);
      socket().hello({ resumed: true });

      assert.equal(connection.state.name, "connected");
    }
  });

  test("an end event with leave to retry is a break", () => {
    const { socket, connection } = connecting();
    socket().hello();

    socket().event({ event: "end", reason: "away", message: "restarting", retry: true });

    assert.equal(connection.state.name, "reconnecting");
    assert.equal(connection.state.message, "restarting");
  });

  test("a server that doesn't let us in is asked for 10 s, then believed", async () => {
    const { socket, connection, clock, around } = connecting();
    around.status = 403;

    for (let tries = 0; connection.state.name === "reconnecting" || tries === 0; tries += 1) {
      socket().break();
      await Promise.resolve().then(() => {});
      if (connection.state.deadline) clock.advance(connection.state.deadline - clock.now());
      assert.ok(tries < 20);
    }

    assert.equal(connection.state.name, "ended");
    assert.equal(connection.state.reason, "refused");
    assert.ok(clock.now() >= 10_000);
  });

  test("a proxy that is down is never believed to refuse", async () => {
    const { socket, connection, clock, around } = connecting();
    around.status = 502;

    for (let tries = 0; tries < 20; tries += 1) {
      socket().break();
      await Promise.resolve().then(() => {});
      clock.advance(connection.state.deadline - clock.now());
    }

    assert.equal(connection.state.name, "reconnecting");
  });
});

describe("size", () => {
  test("is told to a server that can do something with it", () => {
    const { socket, connection } = connecting();
    connection.resize(24, 80);

    socket().hello({ resizable: true });
    connection.resize(40, 132);

    const sizes = socket().said.filter((message) => message.do === "size");
    assert.deepEqual(sizes, [
      { do: "size", rows: 24, columns: 80 },
      { do: "size", rows: 40, columns: 132 },
    ]);
  });

  test("is told to no other", () => {
    const { socket, connection } = connecting();
    connection.resize(24, 80);

    socket().hello({ resizable: false });

    assert.deepEqual(
      socket().said.map((message) => message.do),
      ["attach"],
    );
  });
});
