import { createServer } from 'node:http2';
import { expect, it } from 'vitest';
import * as z from 'zod';
import { duplexPair } from '../engine/testing/duplex-pair.ts';
import { GuestConnection } from './http2-connection.ts';
import { SEQUENCE_HEADER } from './protocol.ts';

it('numbers the requests of each connection from 1 in their order', async () => {
  const server = createServer();
  const seen: string[] = [];
  server.on('stream', (stream, headers) => {
    seen.push(`${headers[SEQUENCE_HEADER]} ${headers[':path']}`);
    stream.respond({ ':status': 200 });
    stream.end('{}');
  });
  const expected = ['1 /a', '2 /b', '3 /c'];
  for (const name of ['first', 'second']) {
    const [host, guest] = duplexPair();
    server.emit('connection', guest);
    const connection = new GuestConnection(host);
    const calls = ['/a', '/b', '/c'].map((path) =>
      connection.call('PUT', path, { name }, z.strictObject({})),
    );
    await Promise.all(calls);
    connection.destroy();
    expect(seen.splice(0)).toEqual(expected);
  }
});
