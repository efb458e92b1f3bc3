import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { OutputLog } from '../output/log.ts';
import type { OutputRecord } from '../output/record.ts';
import { Segment } from '../output/segment.ts';
import { type LogOptions, readLogs } from './logs.ts';

let dir: string;
let files = 0;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'a3s-logs-'));
});
afterAll(() => rm(dir, { recursive: true }));

const never = new AbortController().signal;

type Piece = readonly [stream: 1 | 2, text: string, seconds: number];
type Wanted = Pick<LogOptions, 'stdout' | 'stderr' | 'tail' | 'since' | 'until'>;

function newLog(totalBytes: number): OutputLog {
  files += 1;
  const failed = (error: unknown): void => {
    throw error;
  };
  const retention = { fileBytes: 300, totalBytes, compress: false };
  return new OutputLog(join(dir, String(files)), failed, undefined, retention);
}

async function write(log: OutputLog, pieces: readonly Piece[]): Promise<void> {
  await log.open(1, false);
  let offset = 0;
  for (const [stream, text, seconds] of pieces) {
    const payload = Buffer.from(text);
    log.append({ stream, run: 1, time: BigInt(seconds), offset, payload });
    offset += payload.length;
  }
  await log.flush();
}

async function shown(log: OutputLog, wanted: Wanted): Promise<string> {
  const options = { ...wanted, following: undefined, timestamps: false, details: undefined };
  let text = '';
  for await (const { bytes } of readLogs(log, options, never)) text += bytes.toString();
  return text;
}

/** Computes the same from all stored records, in the simplest way. */
function expected(records: readonly OutputRecord[], wanted: Wanted): string {
  const { since, until, tail } = wanted;
  const lines: { time: bigint; parts: { at: number; text: string }[] }[] = [];
  const open: Record<1 | 2, (typeof lines)[number] | undefined> = { 1: undefined, 2: undefined };
  let at = 0;
  for (const { stream, time, payload } of records) {
    if (until !== undefined && time > until) break;
    if (!(stream === 1 ? wanted.stdout : wanted.stderr)) continue;
    for (const text of payload.toString().split(/(?<=\n)/)) {
      const line = open[stream] ?? { time, parts: [] };
      if (open[stream] === undefined) lines.push(line);
      line.parts.push({ at, text });
      at += 1;
      open[stream] = text.endsWith('\n') ? undefined : line;
    }
  }
  return (tail === undefined ? lines : tail === 0 ? [] : lines.slice(-tail))
    .filter(({ time }) => since === undefined || time >= since)
    .flatMap(({ parts }) => parts)
    .sort((a, b) => a.at - b.at)
    .map(({ text }) => text)
    .join('');
}

const text = fc.string({
  unit: fc.constantFrom('a', 'b', 'c', 'd', '\n'),
  minLength: 1,
  maxLength: 60,
});
const piece = fc.tuple(fc.constantFrom(1 as const, 2 as const), text, fc.nat(2));
const time = fc.option(fc.nat(40).map(BigInt), { nil: undefined });
const wanted: fc.Arbitrary<Wanted> = fc.record({
  stdout: fc.boolean(),
  stderr: fc.boolean(),
  tail: fc.option(fc.nat(30), { nil: undefined }),
  since: time,
  until: time,
});

it(
  'answers every log request from rotated files as from one whole log',
  () =>
    fuzz(
      fc.asyncProperty(
        fc.array(piece, { minLength: 1, maxLength: 40 }),
        fc.constantFrom(900, 100_000),
        wanted,
        holds,
      ),
    ),
  FUZZ_TIMEOUT,
);

async function holds(steps: readonly Piece[], totalBytes: number, asked: Wanted): Promise<void> {
  let clock = 0;
  const pieces = steps.map(([stream, words, later]): Piece => {
    clock += later;
    return [stream, words, clock];
  });
  const log = newLog(totalBytes);
  await write(log, pieces);
  const records: OutputRecord[] = [];
  for await (const record of log.read(0, undefined, never)) {
    records.push({ ...record, payload: Buffer.from(record.payload) });
  }
  expect(await shown(log, asked)).toBe(expected(records, asked));
  await log.close();
}

it('reads only the end of a log for the last lines and for recent ones', async () => {
  const log = newLog(Number.POSITIVE_INFINITY);
  await write(
    log,
    Array.from({ length: 2000 }, (_, index): Piece => [1, `line ${index}\n`, index]),
  );
  const read = vi.spyOn(Segment.prototype, 'read');
  const all = { stdout: true, stderr: true, since: undefined, until: undefined, tail: undefined };
  expect(await shown(log, { ...all, tail: 2 })).toBe('line 1998\nline 1999\n');
  expect(await shown(log, { ...all, since: 1999n })).toBe('line 1999\n');
  expect(read.mock.calls.length).toBeLessThan(20);
  read.mockRestore();
  await log.close();
});
