/**
 * A connection to the server over a WebSocket, as connection.js wants one.
 */

/** Bytes in one message of input, and bytes that may wait in the socket. */
const MESSAGE = 16 * 1024;
const MOST_BUFFERED = 64 * 1024;
const LOOK_AGAIN = 20;
/** Milliseconds until a socket that does not open is given up: what swallows the handshake says nothing. */
const OPEN_WITHIN = 8_000;

/** @implements {import("./interfaces.js").Link} */
export class SocketLink {
  /**
   * @param {WebSocket} socket
   * @param {import("./interfaces.js").Clock} clock
   * @param {import("./interfaces.js").Listener} listener
   */
  constructor(socket, clock, listener) {
    /** @type {"websocket"} */
    this.kind = "websocket";
    this._socket = socket;
    this._clock = clock;
    this._cancelLook = () => {};
    let opened = false;
    const closed = (/** @type {number} */ code, /** @type {string} */ reason) => {
      this.close();
      listener.closed(code, reason);
    };
    this._cancelOpening = clock.after(OPEN_WITHIN, () => closed(0, ""));
    this._listener = listener;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      opened = true;
      this._cancelOpening();
      listener.opened();
    };
    socket.onmessage = ({ data }) => {
      if (typeof data !== "string") {
        listener.output(new Uint8Array(data));
        return;
      }
      let event;
      try {
        event = JSON.parse(data);
      } catch {
        return;
      }
      if (event) listener.event(event);
    };
    socket.onclose = ({ code, reason }) => closed(opened || code !== 1006 ? code : 0, reason);
  }

  /** @type {import("./interfaces.js").Link["attach"]} */
  attach(attach) {
    this.say({ do: "attach", ...attach });
  }

  /** @param {object} message */
  say(message) {
    this._socket.send(JSON.stringify(message));
  }

  /** @param {number} most */
  room(most) {
    if (this._socket.bufferedAmount <= MOST_BUFFERED) return Math.min(most, MESSAGE);
    this._cancelLook();
    this._cancelLook = this._clock.after(LOOK_AGAIN, () => this._listener.ready());
    return 0;
  }

  /** @param {Uint8Array<ArrayBuffer>} bytes */
  type(bytes) {
    this._socket.send(bytes);
  }

  idle() {
    return true;
  }

  close() {
    this._cancelOpening();
    this._cancelLook();
    const socket = this._socket;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }
}
