/**
 * The name in the head of an HTTP/1 request (RFC 9112), and the head as it is passed on.
 *
 * A connection carries one request: what a client sends behind it could be for another name. The
 * head therefore asks the server to close the connection, and for no other protocol.
 *
 * @module
 */
import { hostName } from '@a3s-box/policies/network-policy';
import type { Peeked } from './client-hello.ts';

export const MAX_HEAD = 16 * 1024;

export type PeekedHead =
  | Exclude<Peeked, { state: 'name' }>
  /** `head` takes the place of the first `length` bytes. */
  | {
      readonly state: 'name';
      readonly name: string;
      readonly head: Buffer;
      readonly length: number;
    };

const END = '\r\n\r\n';
const REQUEST_LINE = /^[A-Z-]{1,32} (\S{1,8192}) HTTP\/1\.[01]$/;
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*)$/;
const ABSOLUTE = /^http:\/\/([^/?#]*)/i;
/** They are about the connection, which ends with the answer. */
const DROPPED: readonly string[] = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'upgrade',
  'http2-settings',
];

/** Reads what a client has sent so far. */
export function peekRequestHead(bytes: Buffer): PeekedHead {
  const text = bytes.toString('latin1', 0, MAX_HEAD);
  if (text.length > 0 && !/^[A-Z]/.test(text)) return refused('it does not speak HTTP/1');
  const end = text.indexOf(END);
  if (end < 0) {
    if (bytes.length < MAX_HEAD) return { state: 'more' };
    return refused(`the head of its request is longer than ${MAX_HEAD} bytes`);
  }
  const [line = '', ...fields] = text.slice(0, end).split('\r\n');
  const target = REQUEST_LINE.exec(line)?.[1];
  const parsed = fields.map((field) => FIELD.exec(field));
  if (target === undefined || parsed.some((field) => field === null)) {
    return refused('the head of its request is malformed');
  }
  const named = parsed.flatMap((field) =>
    field?.[1]?.toLowerCase() === 'host' ? [field[2] ?? ''] : [],
  );
  const [host, ...others] = named;
  if (host === undefined || others.length > 0)
    return refused('its request names no host, or several');
  const name = nameOf(host);
  if (name === undefined) return refused('its request names no host by a host name');
  const authority = ABSOLUTE.exec(target)?.[1];
  const isOrigin = target.startsWith('/') || target === '*';
  if (!isOrigin && (authority === undefined || nameOf(authority) !== name)) {
    return refused('its request is for another host than it says');
  }
  const kept = fields.filter((_, at) => !DROPPED.includes(parsed[at]?.[1]?.toLowerCase() ?? ''));
  const head = Buffer.from([line, ...kept, 'Connection: close'].join('\r\n') + END, 'latin1');
  return { state: 'name', name, head, length: end + END.length };
}

function nameOf(host: string): string | undefined {
  const found = /^([^:@]+)(?::[0-9]{1,5})?$/.exec(host.trim());
  return hostName(found?.[1] ?? '');
}

function refused(why: string): PeekedHead {
  return { state: 'refused', why };
}
