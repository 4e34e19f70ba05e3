import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { recordsOf } from "../src/records.js";
import { HELLO, bytes, connecting, poll, settled } from "./fakes.js";

/** A page whose network lets no WebSocket through. */
async function polling(fields = {}) {
  const page = connecting();
  const { socket, around, clock, connection } = page;
  around.server.polls = true;
  around.status = 200;
  socket().break();
  await settled();
  clock.advance(0);
  await settled();
  const first = around.server.next("poll");
  first.answer(200, poll({ ...HELLO, n: 1, ...fields }));
  await settled();
  const posted = async (path) => {
    await settled();
    return around.server.next(path);
  };
  const awake = (seconds) => {
    for (let second = 0; second < seconds; second += 1) {
      clock.advance(1_000);
      // As if a ping had been answered.
      connection._heartbeat.heard();
    }
  };
  return { ...page, server: around.server, posted, first, connection, awake };
}

describe("records", () => {
  test("are taken apart", () => {
    const [event, output] = recordsOf(poll({ event: "x", n: 1 }, "čau"));

    assert.deepEqual(event, { event: { event: "x", n: 1 } });
    assert.equal(new TextDecoder().decode(output.output), "čau");
  });

  test("that were cut are no records", () => {
    const whole = poll({ event: "x", n: 1 }, "abc");

    for (let length = 1; length < whole.length; length += 1) {
      if (length === poll({ event: "x", n: 1 }).length) continue;
      assert.throws(() => recordsOf(whole.subarray(0, length)), RangeError);
    }
  });

  test("of an unknown kind are passed over", () => {
    const odd = poll("abc");
    odd[0] = "z".charCodeAt(0);

    assert.deepEqual(recordsOf(odd), []);
  });
});

describe("plain requests", () => {
  test("are chosen at once where a WebSocket doesn't come up and they are answered", async () => {
    const { connection, first } = await polling();

    assert.deepEqual(first.body, { resume: null, offset: null, console: null, seen: 0, wait: 0 });
    assert.equal(connection.state.name, "connected");
    assert.equal(connection.state.way, "poll");
  });

  test("are not chosen where nothing is answered", async () => {
    const { socket, around, connection } = connecting();
    around.server.polls = true;

    socket().break();
    await settled();

    assert.equal(connection.state.way, "websocket");
    assert.equal(connection.state.name, "reconnecting");
  });

  test("are chosen when two WebSockets in a row break early", async () => {
    const { socket, around, connection, clock } = connecting();
    around.server.polls = true;

    for (let tries = 0; tries < 2; tries += 1) {
      socket().hello({ resumed: tries > 0 });
      socket().break();
      clock.advance(connection.state.deadline - clock.now());
    }
    clock.advance(0);
    await settled();

    const { body } = around.server.next("poll");
    assert.deepEqual([body.resume, body.offset, body.console, body.seen], ["KEY", 0, "C1", 0]);
  });

  test("are chosen when a WebSocket opens and stays mute", async () => {
    const { socket, connection, clock } = connecting();
    socket().open();

    clock.advance(15_000);

    assert.equal(connection.state.way, "poll");
  });

  test("are not tried again where the server knows none", async () => {
    const { socket, around, clock, connection } = connecting();
    around.status = 200;

    socket().break();
    await settled();
    clock.advance(0);
    await settled();

    assert.equal(connection.state.way, "websocket");
    assert.equal(connection.state.name, "reconnecting");
  });

  test("go on after something on the way has answered that there are none", async () => {
    for (const status of [404, 405, 501]) {
      const { posted, clock, connection } = await polling();

      (await posted("poll")).answer(status);
      await settled();
      assert.equal(connection.state.name, "reconnecting");
      clock.advance(1_000);

      assert.equal((await posted("poll")).body.resume, "KEY");
      assert.equal(connection.state.way, "poll");
    }
  });

  test("acknowledge what they brought", async () => {
    const { server, posted, screen } = await polling({ offset: 10, live: 10 });
    (await posted("poll")).answer(200, poll("abc", { event: "line", state: "live", n: 2 }));
    await settled();

    const { body } = server.next("poll");

    assert.deepEqual([body.offset, body.seen, body.resume, body.console], [13, 2, "KEY", "C1"]);
    assert.deepEqual(screen.shown, [["abc", "live"]]);
  });

  test("take an event once, though it is told twice", async () => {
    const { posted, screen } = await polling();
    const gap = { event: "gap", missed: 5, offset: 5, n: 2 };
    (await posted("poll")).answer(200, poll(gap, gap));
    await settled();

    assert.deepEqual(screen.shown, ["missed 5"]);
  });

  test("ask again for what was cut on its way", async () => {
    const { posted, screen, clock, server } = await polling();
    const whole = poll("abc");
    (await posted("poll")).answer(200, whole.subarray(0, 6));
    await settled();
    clock.advance(400);
    await settled();

    const again = server.next("poll");
    assert.equal(again.body.offset, 0);
    again.answer(200, whole);
    await settled();
    assert.deepEqual(screen.shown, [["abc", "live"]]);
  });

  test("bear a few failures, then begin anew with key and offset", async () => {
    const { posted, server, clock, connection } = await polling({ offset: 7, live: 7 });
    for (let failure = 0; failure < 3; failure += 1) {
      (await posted("poll")).fail();
      await settled();
      clock.advance(400);
    }
    assert.equal(connection.state.name, "reconnecting");

    clock.advance(600);
    await settled();

    const { body } = server.next("poll");
    assert.deepEqual([body.resume, body.offset, body.seen], ["KEY", 7, 0]);
  });

  test("attach anew when the server knows us no more", async () => {
    const { posted, server, clock, connection } = await polling();
    const end = { event: "end", reason: "unknown", message: "", retry: true };
    (await posted("poll")).answer(409, bytes(JSON.stringify(end)));
    await settled();
    assert.equal(connection.state.name, "reconnecting");

    clock.advance(1_000);
    await settled();

    assert.equal(server.next("poll").body.seen, 0);
  });
});

describe("input by plain requests", () => {
  test("goes one request at a time, under its number", async () => {
    const { connection, server, posted } = await polling({ input: 40 });
    connection.type(bytes("ab"));
    connection.type(bytes("cd"));

    const first = await posted("input");
    assert.deepEqual([first.body, first.headers["X-Ajaxterm-At"]], ["ab", "40"]);
    assert.equal(first.headers["X-Ajaxterm-Resume"], "KEY");
    assert.throws(() => server.next("input"));
    first.answer(200, bytes('{"input": 42}'));

    const second = await posted("input");
    assert.deepEqual([second.body, second.headers["X-Ajaxterm-At"]], ["cd", "42"]);
  });

  test("is sent again under the same number when no answer came", async () => {
    const { connection, clock, posted } = await polling();
    connection.type(bytes("ab"));
    (await posted("input")).fail();
    await settled();
    clock.advance(400);

    const again = await posted("input");

    assert.deepEqual([again.body, again.headers["X-Ajaxterm-At"]], ["ab", "0"]);
  });

  test("that the line took in part is sent again from there", async () => {
    const { connection, posted } = await polling();
    connection.type(bytes("abcdef"));
    (await posted("input")).answer(200, bytes('{"input": 4}'));

    const rest = await posted("input");
    assert.deepEqual([rest.body, rest.headers["X-Ajaxterm-At"]], ["ef", "4"]);
    assert.equal(connection.state.uncounted, 2);
    rest.answer(200, bytes('{"input": 6}'));
    await settled();

    assert.equal(connection.state.uncounted, 0);
  });

  test("that was refused is not sent again", async () => {
    const { connection, screen, posted } = await polling();
    connection.type(bytes("ab"));
    const refused = { event: "refused", what: "input", message: "ann (v3) has the keyboard.", input: 2 };
    (await posted("input")).answer(403, bytes(JSON.stringify(refused)));
    await settled();
    connection.type(bytes("c"));

    const next = await posted("input");

    assert.deepEqual([next.body, next.headers["X-Ajaxterm-At"]], ["c", "2"]);
    assert.deepEqual(screen.shown, ["refused input: ann (v3) has the keyboard."]);
  });

  test("that is cancelled, with its link, is not sent by the next", async () => {
    const { connection, clock, posted } = await polling();
    connection.type(bytes("abc"));
    await posted("input");
    for (let failure = 0; failure < 3; failure += 1) {
      (await posted("poll")).fail();
      await settled();
      clock.advance(400);
    }

    connection.cancelInput();
    connection.type(bytes("x"));
    clock.advance(600);
    (await posted("poll")).answer(200, poll({ ...HELLO, resumed: true, input: 0, n: 9 }));
    assert.deepEqual((await posted("say")).body, { do: "cancel_input", below: 3 });
    (await posted("poll")).answer(200, poll({ event: "counted", input: 3, dropped: 3, n: 10 }));

    const next = await posted("input");
    assert.deepEqual([next.body, next.headers["X-Ajaxterm-At"]], ["x", "3"]);
  });
});

describe("a paste in brackets by plain requests", () => {
  test("that is cancelled is closed once the server has said how much was dropped", async () => {
    const { connection, server, posted } = await polling();
    connection.type(bytes("\x1b[200~12\x1b[201~"));
    const typing = await posted("input");
    connection.cancelInput();
    connection.type(bytes("x"));

    typing.answer(200, bytes('{"input": 14}'));
    await settled();
    assert.throws(() => server.next("input"));
    (await posted("poll")).answer(200, poll({ event: "counted", input: 14, dropped: 7, n: 2 }));

    assert.equal((await posted("input")).body, "\x1b[201~x");
  });
});

describe("back to a WebSocket", () => {
  test("it is tried beside, and takes over unseen", async () => {
    const { connection, sockets, socket, awake } = await polling();
    const names = new Set();

    awake(29);
    assert.equal(sockets.length, 1);
    awake(1);
    assert.equal(sockets.length, 2);
    names.add(connection.state.name);
    await settled();
    socket().open();
    names.add(connection.state.name);
    assert.deepEqual(socket().said, [{ do: "attach", resume: "KEY", offset: 0, console: "C1" }]);
    socket().hello({ resumed: true });

    assert.deepEqual([...names, connection.state.name], ["connected", "connected"]);
    assert.equal(connection.state.way, "websocket");
  });

  test("it waits until no input is under way", async () => {
    const { connection, socket, awake, posted } = await polling();
    awake(29);
    connection.type(bytes("ab"));
    const typing = await posted("input");
    awake(1);
    await settled();
    socket().open();
    connection.type(bytes("c"));
    assert.deepEqual(socket().said, []);

    typing.answer(200, bytes('{"input": 2}'));
    await settled();
    assert.equal(socket().said.length, 1);
    socket().hello({ resumed: true, input: 2 });

    assert.equal(socket().typed, "c");
  });

  test("it waits until all wishes are said", async () => {
    const { connection, socket, awake, posted } = await polling();
    awake(30);
    await settled();
    connection.ask({ do: "stay" });
    connection.ask({ do: "end_session" });
    socket().open();

    (await posted("say")).answer(204);
    const last = await posted("say");
    assert.deepEqual([last.body.do, socket().said], ["end_session", []]);
    last.answer(204);
    await settled();

    assert.deepEqual(socket().said.map((said) => said.do), ["attach"]);
  });

  test("it is tried ever less often", async () => {
    const { sockets, socket, awake } = await polling();
    const at = [];

    for (let time = 0; time < 300; time += 1) {
      awake(1);
      if (sockets.length > at.length + 1) {
        at.push(time + 1);
        socket().break();
      }
    }

    assert.deepEqual(at, [30, 90, 210]);
  });
});
