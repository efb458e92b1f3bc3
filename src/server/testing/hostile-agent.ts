/**
 * A compromised agent, for tests: it answers some requests with any content, and the others
 * correctly.
 *
 * @module
 */
import { performServerHandshake, type ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { FakeAgent } from '../../guest/testing/fake-agent.ts';
import { buffered } from '../../guest/testing/fake-streams.ts';

export type Lie = (stream: ServerHttp2Stream) => void;

/** @param lies by method and path, without the query */
export function lyingAgent(lies: Readonly<Record<string, Lie>>) {
  return (agent: FakeAgent, duplex: Duplex): void => {
    const socket = buffered(duplex);
    const connection = performServerHandshake(socket);
    connection.on('error', () => connection.destroy());
    socket.on('close', () => connection.destroy());
    connection.on('stream', (stream, headers) => {
      stream.on('error', () => stream.destroy());
      const [path = ''] = String(headers[':path']).split('?');
      const lie = lies[`${headers[':method']} ${path}`];
      if (lie === undefined) agent.answer(stream, headers);
      else lie(stream);
    });
  };
}

export function saying(body: unknown, status = 200): Lie {
  return (stream) => {
    stream.resume();
    stream.respond({ ':status': status });
    stream.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
}

/** An answer that begins and never ends, sent as fast as it is read. */
export const endless: Lie = (stream) => {
  const piece = Buffer.alloc(64 * 1024, ' ');
  stream.resume();
  stream.respond({ ':status': 200 });
  const pour = (): void => {
    while (!stream.destroyed && stream.write(piece));
  };
  stream.on('drain', pour);
  pour();
};

/** Never answers. */
export const silence: Lie = (stream) => void stream.resume();
