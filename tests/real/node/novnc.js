// noVNC's Websock, unmodified: sends what it reads, prints what it gets.
//
//   node novnc.js URL < bytes-to-send     prints the bytes received, until as many as were sent

import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

// It expects a browser. WebSocket is Node's own only from 22 on.
globalThis.window ??= globalThis;
globalThis.WebSocket ??= createRequire(import.meta.url)('ws').WebSocket;

const { default: Websock } = await import('./node_modules/@novnc/novnc/core/websock.js');

const bytes = readFileSync(0);
const socket = new Websock();
let got = 0;

socket.on('open', () => {
    for (const byte of bytes) {
        socket.sQpush8(byte);
    }
    socket.flush();
});
socket.on('message', () => {
    // It takes what is there one byte at a time, as noVNC's decoders do.
    while (!socket.rQwait('output', 1)) {
        process.stdout.write(Buffer.from(socket.rQshiftBytes(1)));
        got += 1;
    }
    if (got >= bytes.length) {
        socket.close();
    }
});
socket.on('close', (event) => process.stderr.write(`closed ${event.code}\n`));
socket.open(process.argv[2], ['binary']);
