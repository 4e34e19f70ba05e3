/**
 * What a poll brings: records, each a byte of kind, four bytes of length
 * (big-endian), and so many bytes. `t` is an event, JSON with its number `n`;
 * `b` is output.
 */

/**
 * @param {Uint8Array} body
 * @returns {({event: any}|{output: Uint8Array})[]}
 * @throws {RangeError} if the body is no whole number of records: it was cut
 */
export function recordsOf(body) {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const records = [];
  for (let at = 0; at < body.length; ) {
    if (at + 5 > body.length) throw new RangeError("a record was cut");
    const kind = String.fromCharCode(body[at]);
    const end = at + 5 + view.getUint32(at + 1);
    if (end > body.length) throw new RangeError("a record was cut");
    const content = body.subarray(at + 5, end);
    if (kind === "b") records.push({ output: content });
    else if (kind === "t") records.push({ event: JSON.parse(new TextDecoder().decode(content)) });
    at = end;
  }
  return records;
}
