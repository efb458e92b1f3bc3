import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { OutputLog } from '../output/log.ts';
import { type LogOptions, readLogs } from './logs.ts';

let dir: string;
let log: OutputLog | undefined;
let files = 0;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'a3s-logs-'));
});
afterAll(async () => {
  await log?.close();
  await rm(dir, { recursive: true });
});

async function fresh(): Promise<void> {
  await log?.close();
  files += 1;
  log = new OutputLog(join(dir, String(files)), (error) => {
    throw error;
  });
  await log.open(1);
}
beforeEach(fresh);

const SECOND = 1_000_000_000n;

async function wrote(...pieces: readonly (readonly [1 | 2, string, bigint?])[]): Promise<void> {
  let offset = 0;
  for (const [stream, text, time = 1n] of pieces) {
    const payload = Buffer.from(text);
    log?.append({ stream, run: 1, time: time * SECOND, offset, payload });
    offset += payload.length;
  }
  await log?.flush();
}

async function read(options: Partial<LogOptions> = {}): Promise<string> {
  const all = {
    ...{ stdout: true, stderr: true, timestamps: false, following: undefined, details: undefined },
    ...{ tail: undefined, since: undefined, until: undefined },
  };
  if (log === undefined) throw new Error('no log is open');
  let text = '';
  for await (const { bytes } of readLogs(
    log,
    { ...all, ...options },
    new AbortController().signal,
  )) {
    text += bytes.toString();
  }
  return text;
}

it('shows the last lines, whether or not the last one has ended', async () => {
  await wrote([1, 'a\nb'], [1, '\nc\nd']);
  expect(await read()).toBe('a\nb\nc\nd');
  expect(await read({ tail: 2 })).toBe('c\nd');
  expect(await read({ tail: 3 })).toBe('b\nc\nd');
  expect(await read({ tail: 100 })).toBe('a\nb\nc\nd');
  expect(await read({ tail: 0 })).toBe('');
});

it('keeps the lines of both streams whole where they interleave', async () => {
  await wrote([1, 'out '], [2, 'err\n'], [1, 'put\n'], [2, 'last\n']);
  expect(await read({ tail: 2 })).toBe('err\nlast\n');
  expect(await read({ stderr: false })).toBe('out put\n');
  expect(await read({ stdout: false, tail: 1 })).toBe('last\n');
});

it('puts a timestamp before each line once', async () => {
  await wrote([1, 'a\nb', 1n], [1, 'c\n', 2n]);
  expect(await read({ timestamps: true })).toBe(
    '1970-01-01T00:00:01.000000000Z a\n1970-01-01T00:00:01.000000000Z bc\n',
  );
});

it('selects log lines by since and until', async () => {
  await wrote([1, 'one\n', 1n], [1, 'two\n', 2n], [1, 'three\n', 3n]);
  expect(await read({ since: 2n * SECOND })).toBe('two\nthree\n');
  expect(await read({ until: 2n * SECOND })).toBe('one\ntwo\n');
  expect(await read({ since: 2n * SECOND, tail: 1, until: 2n * SECOND })).toBe('two\n');
});

const piece = fc.tuple(
  fc.constant(1 as const),
  fc.string({ unit: fc.constantFrom('a', 'b', '\n'), minLength: 1, maxLength: 8 }),
);

it(
  'shows the same tail as splitting the whole text into lines',
  () =>
    fuzz(
      fc.asyncProperty(
        fc.array(piece, { minLength: 1, maxLength: 8 }),
        fc.nat(10),
        async (pieces, tail) => {
          await fresh();
          await wrote(...pieces);
          const lines = pieces
            .map(([, text]) => text)
            .join('')
            .split(/(?<=\n)/);
          const expected = tail === 0 ? '' : lines.slice(-tail).join('');
          expect(await read({ tail })).toBe(expected);
        },
      ),
    ),
  FUZZ_TIMEOUT,
);
