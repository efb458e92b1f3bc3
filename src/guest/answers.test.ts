import { performServerHandshake, type ServerHttp2Stream } from 'node:http2';
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { A3sError } from '../errors.ts';
import { Guest } from './guest.ts';
import { GuestConnection } from './http2-connection.ts';
import { fakeStreams } from './testing/fake-streams.ts';

const hello = { protocol: { minimum: 1, maximum: 1 }, agent: 'x', kernel: 'x', bootId: 'x' };

/** A client of an agent that answers every request with `answer`. */
function guestOf(answer: (stream: ServerHttp2Stream) => void): Guest {
  const [host, guest] = fakeStreams();
  const server = performServerHandshake(guest);
  server.on('error', () => server.destroy());
  server.on('stream', (stream) => {
    stream.on('error', () => stream.destroy());
    answer(stream);
  });
  const connection = new GuestConnection(host);
  connection.version = 1;
  return new Guest(connection, hello);
}

function answering(status: number, body: string | Buffer): Guest {
  return guestOf((stream) => {
    stream.respond({ ':status': status });
    stream.end(body);
  });
}

const exit = {
  exitCode: 0,
  signal: null,
  oomKilled: false,
  finishedAt: '2026-01-01T00:00:00.123456789Z',
};

test.each<[string, number, string]>([
  ['no JSON', 200, '{'],
  ['another type', 200, '[]'],
  ['an exit code over 255', 200, JSON.stringify({ ...exit, exitCode: 256 })],
  ['a signal that is none', 200, JSON.stringify({ ...exit, signal: '\u001b[31m' })],
  ['a time that is none', 200, JSON.stringify({ ...exit, finishedAt: 'now' })],
  ['more than 64 KiB', 200, ' '.repeat(70_000)],
  ['an error without a body', 500, ''],
  ['an unknown error', 500, '{"error":{"code":"__proto__","message":"x"}}'],
])('an answer with %s is reported as a failure of the agent', async (_, status, body) => {
  const guest = answering(status, body);
  await expect(guest.exit('main')).rejects.toMatchObject({ code: 'agent-failed' });
  guest.close();
});

test('unknown keys in answers of a newer agent are dropped', async () => {
  const guest = answering(200, JSON.stringify({ ...exit, more: 1 }));
  expect(await guest.exit('main')).toEqual(exit);
  guest.close();
});

test.each<[string, (stream: ServerHttp2Stream) => void]>([
  ['resets the stream', (stream) => stream.close(2)],
  ['ends the connection', (stream) => stream.session?.destroy()],
  [
    'breaks off its answer',
    (stream) => {
      stream.respond({ ':status': 200 });
      stream.write('{"exit', () => stream.close(8));
    },
  ],
])('an agent that %s is reported as failed', async (_, answer) => {
  const guest = guestOf(answer);
  await expect(guest.exit('main')).rejects.toMatchObject({ code: 'agent-failed' });
  guest.close();
  await guest.closed;
  expect(() => guest.stdin('main')).toThrow('the connection is closed');
});

test('a process id that is another path is refused before it is sent', async () => {
  const guest = answering(200, JSON.stringify(exit));
  expect(() => guest.exit('../spec')).toThrow();
  guest.close();
});

test(
  'any response body gives a checked result or an A3sError',
  async () => {
    let body: Buffer = Buffer.alloc(0);
    let status = 200;
    const guest = guestOf((stream) => {
      stream.respond({ ':status': status });
      stream.end(body);
    });
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 100 }).map((data) => Buffer.from(data)),
      fc.json().map((text) => Buffer.from(text)),
      fc
        .record({ error: fc.record({ code: fc.string(), message: fc.string() }) })
        .map((document) => Buffer.from(JSON.stringify(document))),
      fc
        .record(
          { exitCode: fc.anything(), signal: fc.anything(), finishedAt: fc.anything() },
          { requiredKeys: [] },
        )
        .map((more) =>
          Buffer.from(
            JSON.stringify({ ...exit, ...more }, (_, v: unknown) =>
              typeof v === 'bigint' ? 0 : v,
            ),
          ),
        ),
    );
    await fuzz(
      fc.asyncProperty(bytes, fc.constantFrom(200, 204, 400, 404, 500, 599), async (data, code) => {
        body = data;
        status = code;
        for (const ask of [
          () => guest.exit('main'),
          () => guest.state(),
          () => guest.output('e1', 0),
        ]) {
          try {
            const result = await ask();
            if ('close' in result) {
              for await (const chunk of result) expect(chunk.data.length).toBeGreaterThan(0);
            }
          } catch (error) {
            if (!(error instanceof A3sError)) throw error;
            expect(error.message).not.toMatch(/\p{Cc}/u);
          }
        }
      }),
    );
    guest.close();
  },
  FUZZ_TIMEOUT,
);
