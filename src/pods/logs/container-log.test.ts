import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { OutputStream } from '../../guest/frame.ts';
import { ContainerLog } from './container-log.ts';
import { MAX_LINE_BYTES } from './log-lines.ts';
import { LOG_START, LogPosition } from './log-position.ts';

let directory: string;
let path: string;
let record: LogPosition;
let failures: unknown[];
let running: AbortController;
let saveFailure: Error | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-cri-log-'));
  path = join(directory, '0.log');
  record = LOG_START;
  failures = [];
  running = new AbortController();
  saveFailure = undefined;
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(directory, { recursive: true });
});

function log(holdMs = 0, how: 'open' | 'resume' = 'open'): Promise<ContainerLog> {
  return ContainerLog[how]({
    ...{ path, position: record, holdMs, signal: running.signal },
    save: (position) => {
      if (saveFailure !== undefined) throw saveFailure;
      record = LogPosition.parse(position);
    },
    onFailure: (error) => void failures.push(error),
  });
}

const out = (text: string, stream: OutputStream = 'stdout') => ({
  ...{ stream, data: Buffer.from(text) },
});

const LINE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z (stdout|stderr) ([PF]) (.*)$/s;

/** Stream, tag and text of each line. */
function lines(file = path): string[] {
  const text = readFileSync(file, 'latin1');
  expect(text === '' || text.endsWith('\n')).toBe(true);
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => (LINE.exec(line) ?? ['', 'no line', line]).slice(1).join(' '));
}

/** What a reader joins of the lines of a stream. */
function joined(stream: OutputStream, files = [path]): string {
  return files
    .flatMap((file) => lines(file))
    .filter((line) => line.startsWith(stream))
    .map((line) => `${line.slice(stream.length + 3)}${line[stream.length + 1] === 'F' ? '\n' : ''}`)
    .join('');
}

it('writes lines of both streams when they end, and what is left as a part of one', async () => {
  const writer = await log();
  await writer.write(out('one\ntw'));
  await writer.write(out('else\n', 'stderr'));
  expect(lines()).toEqual(['stdout F one', 'stderr F else']);
  await writer.write(out('o\n\nlast'));
  await writer.finish();
  await writer.close();
  expect(lines()).toEqual([
    ...['stdout F one', 'stderr F else', 'stdout F two', 'stdout F ', 'stdout P last'],
  ]);
  expect(statSync(path).mode & 0o777).toBe(0o640);
});

it('cuts lines of more than 16 KiB, with the last part as the end', async () => {
  const writer = await log();
  await writer.write(out('a'.repeat(MAX_LINE_BYTES)));
  await writer.write(out(`${'b'.repeat(2 * MAX_LINE_BYTES)}c\n`));
  await writer.close();
  expect(lines()).toEqual([
    `stdout P ${'a'.repeat(MAX_LINE_BYTES)}`,
    `stdout P ${'b'.repeat(MAX_LINE_BYTES)}`,
    `stdout P ${'b'.repeat(MAX_LINE_BYTES)}`,
    'stdout F c',
  ]);
});

it('leaves a line of 16 KiB whole, in whatever pieces it comes', async () => {
  const writer = await log();
  const text = 'a'.repeat(MAX_LINE_BYTES);
  await writer.write(out(`${text}\n`));
  await writer.write(out(text));
  await writer.write(out('\n'));
  await writer.write(out(text));
  await writer.write(out('b'));
  await writer.finish();
  await writer.close();
  expect(lines()).toEqual([
    ...[`stdout F ${text}`, `stdout F ${text}`, `stdout P ${text}`, 'stdout P b'],
  ]);
});

it('keeps every byte of both streams, in the order in which they came', async () => {
  const writer = await log();
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const every = bytes.toString('latin1');
  await writer.write({ stream: 'stdout', data: bytes });
  await writer.write({ stream: 'stderr', data: Buffer.concat([bytes, Buffer.from('\r\n')]) });
  await writer.write(out('\n'));
  await writer.finish();
  await writer.close();
  const [first, rest] = every.split('\n');
  expect(lines()).toEqual([
    ...[`stdout F ${first}`, `stderr F ${first}`, `stderr F ${rest}\r`, `stdout F ${rest}`],
  ]);
});

it('writes a line that does not end where it would hold up the other stream', async () => {
  const writer = await log();
  await writer.write(out('prompt> '));
  for (let index = 0; index < 40; index += 1) {
    await writer.write(out(`${'x'.repeat(10_000)}\n`, 'stderr'));
  }
  expect(lines().filter((line) => line.startsWith('stdout'))).toEqual(['stdout P prompt> ']);
  expect(writer.safe).toBeGreaterThan(0);
  await writer.close();
});

/** Chunks of both streams, and after which of them the server is killed. */
const outputs = fc.array(
  fc.record({
    stream: fc.constantFrom<OutputStream>('stdout', 'stderr'),
    text: fc.oneof(
      fc.stringMatching(/^[ab\n]{0,30}$/),
      fc.integer({ min: 1, max: 40_000 }).map((length) => 'x'.repeat(length)),
    ),
    killed: fc.boolean(),
  }),
  { maxLength: 12 },
);

it('goes on after any number of restarts without a byte lost or written twice', async () => {
  await fc.assert(
    fc.asyncProperty(outputs, async (chunks) => {
      record = LOG_START;
      rmSync(path, { force: true });
      const all = Buffer.from(chunks.map(({ text }) => text).join(''));
      /** Sends the output from an offset on, as the agent does, up to the end of a chunk. */
      const send = async (writer: ContainerLog, upTo: number): Promise<void> => {
        let at = 0;
        for (const { stream, text } of chunks.slice(0, upTo)) {
          const from = Math.max(0, writer.next - at);
          if (from < text.length) {
            await writer.write({ stream, data: all.subarray(at + from, at + text.length) });
          }
          at += text.length;
        }
      };
      let writer = await log();
      for (const [index, { killed }] of chunks.entries()) {
        await send(writer, index + 1);
        // Its file descriptor is all that it leaves.
        if (killed) {
          await writer.close();
          writer = await log();
          expect(writer.next).toBe(writer.safe);
        }
      }
      await send(writer, chunks.length);
      await writer.finish();
      await writer.close();
      for (const stream of ['stdout', 'stderr'] as const) {
        const sent = chunks.filter((chunk) => chunk.stream === stream).map(({ text }) => text);
        expect(joined(stream)).toBe(sent.join(''));
      }
    }),
    { numRuns: 40 },
  );
});

it('cuts off what a crash has left of a line, and writes that line again', async () => {
  const writer = await log();
  await writer.write(out('whole\n'));
  await writer.close();
  appendFileSync(path, '2026-12-01T00:00:00.000000000Z stdout F torn');
  const next = await log();
  await next.write(out('whole\ntorn apart\n'));
  await next.close();
  expect(lines()).toEqual(['stdout F whole', 'stdout F torn apart']);
});

it('continues in a new file when the old one was rotated', async () => {
  const writer = await log();
  await writer.write(out('old\nha'));
  renameSync(path, `${path}.20261201-000000`);
  await writer.write(out('lf\n'));
  await writer.reopen();
  await writer.write(out('new\n'));
  await writer.close();
  expect(lines(`${path}.20261201-000000`)).toEqual(['stdout F old', 'stdout F half']);
  expect(lines()).toEqual(['stdout F new']);
});

it('finds what it had written to a file that was rotated before the server was killed', async () => {
  const writer = await log();
  await writer.write(out('old\n'));
  await writer.close();
  renameSync(path, `${path}.20261201-000000`);
  const next = await log();
  await next.write(out('old\nnew\n'));
  await next.close();
  expect(lines()).toEqual(['stdout F new']);
});

it('goes on with a file that lost its end with the host’s power', async () => {
  const writer = await log();
  await writer.write(out('a\nb\n'));
  await writer.finish();
  await writer.close();
  truncateSync(path, 10);
  const next = await log();
  await next.write(out('c\n'));
  await next.close();
  expect(lines()).toEqual(['stdout F c']);
});

/** Has the next writes to any file fail. */
async function failWrites(): Promise<() => void> {
  const other = await open(join(directory, 'other'), 'w');
  const prototype: FileHandle = Object.getPrototypeOf(other);
  await other.close();
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), {
    code: 'ENOSPC',
  });
  const spy = vi.spyOn(prototype, 'write').mockRejectedValue(full);
  return () => spy.mockRestore();
}

it('counts the lines that a full disk does not take, and goes on when there is room', async () => {
  const writer = await log();
  await writer.write(out('before\n'));
  const recover = await failWrites();
  await writer.write(out('lost\nlost too\n'));
  await writer.write(out('lost as well\n', 'stderr'));
  recover();
  await writer.write(out('after\n'));
  await writer.finish();
  expect(lines()).toEqual(['stdout F before', 'stdout F after']);
  expect(record).toMatchObject({ lost: 3, error: expect.stringContaining('ENOSPC') });
  expect(failures).toHaveLength(1);
  await writer.close();
});

it('waits for a full disk for a while', async () => {
  const writer = await log(60_000);
  const recover = await failWrites();
  const writing = writer.write(out('kept\n'));
  await vi.waitFor(() => expect(failures).not.toEqual([]));
  recover();
  await writing;
  expect(lines()).toEqual(['stdout F kept']);
  expect(record.lost).toBe(0);
  await writer.close();
});

it('lets the agent keep what the record does not say is written', async () => {
  const writer = await log();
  saveFailure = new Error('database or disk is full');
  await writer.write(out('one\n'));
  await writer.finish();
  expect([writer.safe, writer.next, failures]).toEqual([0, 4, [saveFailure]]);
  saveFailure = undefined;
  await writer.finish();
  expect([writer.safe, record.offset]).toEqual([4, 4]);
  await writer.close();
  expect(lines()).toEqual(['stdout F one']);
});

it('leaves what a full disk holds up to the next server', async () => {
  const writer = await log(60_000);
  const recover = await failWrites();
  const writing = writer.write(out('kept\n'));
  await vi.waitFor(() => expect(failures).not.toEqual([]));
  running.abort(new Error('the server stops'));
  await expect(writing).rejects.toThrow();
  recover();
  await writer.close();
  running = new AbortController();
  const next = await log();
  expect(next.next).toBe(0);
  await next.write(out('kept\n'));
  await next.close();
  expect(lines()).toEqual(['stdout F kept']);
});

it('refuses to go on in a new file once it is closed', async () => {
  const writer = await log();
  const closing = writer.close();
  const reopening = writer.reopen();
  await closing;
  renameSync(path, `${path}.1`);
  await expect(reopening).rejects.toMatchObject({ code: 'conflict' });
  await expect(writer.reopen()).rejects.toMatchObject({ code: 'conflict' });
  expect(existsSync(path)).toBe(false);
});

it('refuses a link, a directory, and a directory that is missing', async () => {
  const target = join(directory, 'target');
  writeFileSync(target, 'not a log\n');
  symlinkSync(target, path);
  await expect(log()).rejects.toMatchObject({ code: 'invalid-argument' });
  rmSync(path);
  mkdirSync(path);
  await expect(log()).rejects.toMatchObject({ code: 'invalid-argument' });
  path = join(directory, 'missing', '0.log');
  await expect(log()).rejects.toMatchObject({ code: 'invalid-argument' });
  expect(existsSync(join(directory, 'missing'))).toBe(false);
  expect(readFileSync(target, 'utf8')).toBe('not a log\n');
});

it('goes on with a log that could not be opened when the server came', async () => {
  const first = await log();
  await first.write(out('one\n'));
  await first.close();
  renameSync(path, `${path}.1`);
  mkdirSync(path);
  const again = await log(0, 'resume');
  expect(failures).toMatchObject([{ code: 'invalid-argument' }]);
  await again.write(out('lost\n'));
  rmSync(path, { recursive: true });
  await again.write(out('two\n'));
  await again.finish();
  await again.close();
  expect(lines()).toEqual(['stdout F two']);
  expect(record).toMatchObject({ lost: 1, error: expect.stringContaining('Cannot write the log') });
});

it('goes on where an old file cannot be read to learn what was written', async () => {
  const first = await log();
  await first.write(out('one\n'));
  await first.close();
  renameSync(path, join(directory, 'elsewhere'));
  symlinkSync('elsewhere', `${path}.1`);
  const again = await log(0, 'resume');
  expect(failures).toMatchObject([{ code: 'ELOOP' }]);
  await again.write(out('two\n'));
  await again.finish();
  await again.close();
  expect(lines()).toEqual(['stdout F two']);
});
