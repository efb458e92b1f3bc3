/**
 * The opening handshake of a WebSocket (RFC 6455, section 4.2).
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { A3sError } from '../errors.ts';

/** What the protocol joins to the client's key, so that no other server answers by chance. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** Base64 of 16 bytes. */
const KEY = /^[A-Za-z0-9+/]{22}==$/;

/**
 * The value of `Sec-WebSocket-Accept` for a request.
 *
 * @throws A3sError `invalid-argument` where the request opens no WebSocket of version 13
 */
export function webSocketAccept(headers: Headers): string {
  const key = headers.get('sec-websocket-key') ?? '';
  const opens =
    words(headers, 'upgrade').includes('websocket') &&
    words(headers, 'connection').includes('upgrade') &&
    headers.get('sec-websocket-version') === '13' &&
    KEY.test(key);
  if (!opens) {
    throw new A3sError('invalid-argument', 'The request opens no WebSocket of version 13', {
      remedy: 'Use a WebSocket client.',
    });
  }
  return createHash('sha1').update(`${key}${GUID}`).digest('base64');
}

function words(headers: Headers, name: string): readonly string[] {
  return (headers.get(name) ?? '').split(',').map((word) => word.trim().toLowerCase());
}
