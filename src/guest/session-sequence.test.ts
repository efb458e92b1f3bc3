import { createServer } from 'node:http2';
import { expect, it } from 'vitest';
import * as z from 'zod';
import { duplexPair } from '../engine/testing/duplex-pair.ts';
import { SEQUENCE_HEADER } from './protocol.ts';
import { GuestSession } from './session.ts';

it('numbers the requests of each connection from 1 in their order', async () => {
  const server = createServer();
  const seen: string[] = [];
  server.on('stream', (stream, headers) => {
    seen.push(`${headers[SEQUENCE_HEADER]} ${headers[':path']}`);
    stream.respond({ ':status': 200 });
    stream.end('{}');
  });
  const expected = ['1 /a', '2 /b', '3 /c'];
  for (const connection of ['first', 'second']) {
    const [host, guest] = duplexPair();
    server.emit('connection', guest);
    const session = new GuestSession(host);
    const calls = ['/a', '/b', '/c'].map((path) =>
      session.call('PUT', path, { connection }, z.strictObject({})),
    );
    await Promise.all(calls);
    session.destroy();
    expect(seen.splice(0)).toEqual(expected);
  }
});
