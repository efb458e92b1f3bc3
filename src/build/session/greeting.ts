/**
 * The beginning of a session, before its builder is there.
 *
 * On a session the builder is the HTTP/2 client, and the client of the build is the server: that of
 * Go ends a connection that does not begin within 10 seconds (`http2.Server.ServeConn`). So this
 * server begins it, with settings that say nothing. The builder's own settings follow later as a
 * second frame (RFC 9113, 6.5: settings may be sent at any time), and everything else passes as it
 * is, in both directions.
 *
 * @module
 */
import { failed } from '../relay/upgrade.ts';

/** RFC 9113, 3.4. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const HEADER_BYTES = 9;
const SETTINGS = 4;
const ACK = 1;
const NO_SETTINGS = Buffer.from([0, 0, 0, SETTINGS, 0, 0, 0, 0, 0]);

/** What the client gets at once. */
export const GREETING = Buffer.concat([PREFACE, NO_SETTINGS]);

/**
 * What the builder sends after its preface, which the client has already.
 *
 * @throws A3sError `builder-failed` for anything else in its place
 */
export async function* withoutPreface(
  builder: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let missing = PREFACE;
  for await (const chunk of builder) {
    const length = Math.min(chunk.length, missing.length);
    if (!missing.subarray(0, length).equals(chunk.subarray(0, length))) {
      throw failed('it does not speak HTTP/2 on a session');
    }
    missing = missing.subarray(length);
    if (length < chunk.length) yield chunk.subarray(length);
  }
}

/**
 * What the client sends, without its first acknowledgement of settings: that is of the greeting,
 * which the builder knows nothing of. Frames before it pass unread but for their headers.
 */
export async function* withoutFirstAck(
  client: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let header = Buffer.alloc(0);
  /** Of the payload of the frame that passes. */
  let left = 0;
  let isAcknowledged = false;
  for await (const chunk of client) {
    let rest = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    while (!isAcknowledged && rest.length > 0) {
      if (left > 0) {
        yield rest.subarray(0, left);
        const passed = Math.min(left, rest.length);
        left -= passed;
        rest = rest.subarray(passed);
        continue;
      }
      const taken = HEADER_BYTES - header.length;
      header = Buffer.concat([header, rest.subarray(0, taken)]);
      rest = rest.subarray(taken);
      if (header.length < HEADER_BYTES) break;
      left = header.readUIntBE(0, 3);
      isAcknowledged = header[3] === SETTINGS && (header.readUInt8(4) & ACK) !== 0;
      if (!isAcknowledged) yield header;
      header = Buffer.alloc(0);
    }
    if (rest.length > 0) yield rest;
  }
}
