import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OutputLog } from './log.ts';
import { HEADER_BYTES } from './record.ts';
import { type Retention, retentionOf } from './retention.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'a3s-rotation-'));
});
afterEach(async () => {
  await rm(dir, { recursive: true });
});

const never = new AbortController().signal;
const SMALL: Retention = { fileBytes: 500, totalBytes: 2000, compress: false };

function newLog(retention: Retention, path = join(dir, 'output.log')): OutputLog {
  return new OutputLog(
    path,
    (error) => {
      throw error;
    },
    () => undefined,
    retention,
  );
}

/** The output of a run: each byte follows from its offset, and lines have various lengths. */
function output(from: number, length: number): Buffer {
  return Buffer.from(
    Array.from({ length }, (_, index) => ((from + index) % 23 === 0 ? 10 : (from + index) % 251)),
  );
}

async function kept(log: OutputLog, from = 0): Promise<{ offset: number; bytes: Buffer }> {
  const parts: Buffer[] = [];
  let first: number | undefined;
  for await (const { payload, offset } of log.read(from, undefined, never)) {
    first ??= offset;
    parts.push(Buffer.from(payload));
  }
  return { offset: first ?? 0, bytes: Buffer.concat(parts) };
}

/** The size of all log files, compressed ones counted at their original size. */
async function sizeOnDisk(): Promise<number> {
  let total = 0;
  for (const name of await readdir(dir)) {
    const bytes = await readFile(join(dir, name));
    total += name.endsWith('.gz') ? gunzipSync(bytes).length : bytes.length;
  }
  return total;
}

class Writer {
  offset = 0;
  readonly log: OutputLog;

  constructor(log: OutputLog) {
    this.log = log;
  }

  write(length: number, run = 1): void {
    const payload = output(this.offset, length);
    this.log.append({
      stream: 1,
      run,
      time: BigInt(this.offset + 1),
      offset: this.offset,
      payload,
    });
    this.offset += length;
  }
}

describe('rotation', () => {
  it('keeps the most recent output within the size limit of the log', async () => {
    const log = newLog(SMALL);
    await log.open(1);
    const writer = new Writer(log);
    for (let each = 0; each < 100; each += 1) {
      writer.write(77);
      await log.flush();
      expect(await sizeOnDisk()).toBeLessThanOrEqual(SMALL.totalBytes);
    }
    const { offset, bytes } = await kept(log);
    expect(bytes).toEqual(output(offset, writer.offset - offset));
    expect(bytes.length).toBeGreaterThan(
      ((SMALL.totalBytes - SMALL.fileBytes) * 77) / (3 * (77 + HEADER_BYTES)),
    );
    await log.close();
  });

  it('continues at the last safe offset although older output has been removed', async () => {
    const log = newLog({ ...SMALL, totalBytes: 1000 });
    await log.open(1);
    const writer = new Writer(log);
    writer.write(5000);
    await log.flush();
    await log.close();
    const next = newLog({ ...SMALL, totalBytes: 1000 });
    expect(await next.open(1)).toBe(5000);
    expect(await next.open(2)).toBe(0);
    await next.close();
  });

  it('reads and appends to the single log file of an older server', async () => {
    const log = newLog(
      retentionOf({ driver: 'json-file', options: {}, maxFiles: 1, compress: false }),
    );
    await log.open(1);
    const writer = new Writer(log);
    writer.write(3000);
    await log.flush();
    await log.close();
    expect(await readdir(dir)).toEqual(['output.log']);
    const next = newLog({ ...SMALL, totalBytes: 10_000 });
    expect(await next.open(1)).toBe(3000);
    const goingOn = new Writer(next);
    goingOn.offset = 3000;
    goingOn.write(1000);
    await next.flush();
    expect((await readdir(dir)).length).toBeGreaterThan(2);
    expect(await kept(next)).toEqual({ offset: 0, bytes: output(0, 4000) });
    await next.close();
  });

  it('compresses finished log files, and reads across them', async () => {
    const retention = { fileBytes: 4096, totalBytes: 100_000, compress: true };
    const log = newLog(retention);
    await log.open(1);
    const writer = new Writer(log);
    for (let each = 0; each < 30; each += 1) writer.write(1000);
    await log.flush();
    await expect
      .poll(async () => (await readdir(dir)).filter((name) => !name.endsWith('.gz')).length, {
        timeout: 20_000,
      })
      .toBe(1);
    expect(await kept(log)).toEqual({ offset: 0, bytes: output(0, 30_000) });
    await log.close();
    const next = newLog(retention);
    expect(await next.open(1)).toBe(30_000);
    expect(await kept(next)).toEqual({ offset: 0, bytes: output(0, 30_000) });
    await next.close();
  });

  it('skips a damaged compressed log file', async () => {
    const retention = { fileBytes: 4096, totalBytes: 100_000, compress: true };
    const log = newLog(retention);
    await log.open(1);
    const writer = new Writer(log);
    for (let each = 0; each < 10; each += 1) writer.write(1000);
    await log.flush();
    await expect
      .poll(async () => (await readdir(dir)).filter((name) => name.endsWith('.gz')).length, {
        timeout: 20_000,
      })
      .toBeGreaterThanOrEqual(2);
    await log.close();
    await writeFile(join(dir, 'output.log.gz'), 'no archive');
    const next = newLog(retention);
    expect(await next.open(1)).toBe(10_000);
    const { offset, bytes } = await kept(next);
    expect(offset).toBeGreaterThan(0);
    expect(bytes).toEqual(output(offset, 10_000 - offset));
    await next.close();
  });

  it('removes what a crash left of a new log file, a compressed one and a repair', async () => {
    const log = newLog({ ...SMALL, totalBytes: 10_000 });
    await log.open(1);
    const writer = new Writer(log);
    writer.write(2000);
    await log.flush();
    const end = await log.end();
    await log.close();
    const torn = `output.log.${String(end).padStart(16, '0')}`;
    await writeFile(join(dir, torn), Buffer.alloc(20));
    await writeFile(join(dir, 'output.log.gz.new'), 'half');
    await writeFile(join(dir, 'output.log.new'), 'half');
    const next = newLog({ ...SMALL, totalBytes: 10_000 });
    expect(await next.open(1)).toBe(2000);
    const names = await readdir(dir);
    expect(names.filter((name) => name.endsWith('.new') || name === torn)).toEqual([]);
    expect(await kept(next)).toEqual({ offset: 0, bytes: output(0, 2000) });
    await next.close();
  });

  it('completes an interrupted repair of a log', async () => {
    const log = newLog(SMALL);
    await log.open(1);
    new Writer(log).write(100);
    await log.flush();
    await log.close();
    const path = join(dir, 'output.log');
    await writeFile(`${path}.new`, await readFile(path));
    await rm(path);
    const next = newLog(SMALL);
    expect(await next.open(1)).toBe(100);
    await next.close();
  });

  it('moves a slow reader on to the oldest output that is still kept', async () => {
    const log = newLog(SMALL);
    await log.open(1, false);
    const writer = new Writer(log);
    writer.write(400);
    await log.flush();
    const reading = log.read(0, { run: 1 }, never);
    const first = (await reading.next()).value;
    expect(first?.offset).toBe(0);
    // More output than is kept in memory for readers that keep up.
    for (let each = 0; each < 10; each += 1) writer.write(60_000);
    await log.flush();
    log.endRun(1);
    let last = first?.payload.length ?? 0;
    let gaps = 0;
    for await (const { offset, payload } of reading) {
      expect(offset).toBeGreaterThanOrEqual(last);
      if (offset > last) gaps += 1;
      expect(payload).toEqual(output(offset, payload.length));
      last = offset + payload.length;
    }
    expect(last).toBe(writer.offset);
    expect(gaps).toBe(1);
    await log.close();
  });
});

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      size: fc.integer({ min: 1, max: 1500 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('flush' as const), size: fc.constant(0) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('read' as const),
      size: fc.integer({ min: 1, max: 20 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('crash' as const), size: fc.nat(1000) }) },
);

interface Step {
  readonly do: 'write' | 'flush' | 'read' | 'crash';
  readonly size: number;
}

it('neither loses nor doubles kept output through any writes, rotations, reads and crashes', {
  timeout: FUZZ_TIMEOUT,
}, async () => {
  const steps = fc.array(step, { minLength: 3, maxLength: 25 });
  const bytes = fc.integer({ min: 150, max: 900 });
  await fuzz(fc.asyncProperty(steps, bytes, fc.boolean(), fc.boolean(), holds), 1);
});

async function holds(
  steps: readonly Step[],
  fileBytes: number,
  compress: boolean,
  lasting: boolean,
): Promise<void> {
  await rm(dir, { recursive: true });
  dir = await mkdtemp(join(tmpdir(), 'a3s-rotation-'));
  const retention = { fileBytes, totalBytes: 4 * fileBytes, compress };
  let log = newLog(retention);
  let writer = new Writer(log);
  let safe = { offset: 0, end: 0 };
  let reading = follow(log);
  await log.open(1, lasting);
  for (const { do: what, size } of steps) {
    if (what === 'write') writer.write(size);
    if (what === 'read') await reading.take(size);
    if (what === 'flush') {
      await log.flush();
      safe = { offset: writer.offset, end: await log.end() };
    }
    if (what === 'crash') {
      await log.close();
      await cutLast(safe.end, size);
      log = newLog(retention);
      writer = new Writer(log);
      reading = follow(log);
      // The guest sends its output again from this offset.
      writer.offset = await log.open(1, lasting);
      expect(writer.offset).toBeGreaterThanOrEqual(safe.offset);
    }
  }
  await log.flush();
  const { offset, bytes } = await kept(log);
  expect(bytes.equals(output(offset, writer.offset - offset))).toBe(true);
  log.endRun(1);
  await reading.take(Number.POSITIVE_INFINITY);
  expect(reading.last).toBe(writer.offset);
  await log.close();
  expect(await sizeOnDisk()).toBeLessThanOrEqual(retention.totalBytes);
}

/** A follower that reads a given number of records, and compares each with the output. */
function follow(log: OutputLog): { take(count: number): Promise<void>; readonly last: number } {
  const iterator = log.read(0, { run: 1 }, never);
  let last = 0;
  return {
    get last() {
      return last;
    },
    take: async (count) => {
      for (let taken = 0; taken < count; taken += 1) {
        if (count !== Number.POSITIVE_INFINITY && last >= (await written(log))) return;
        const { done, value } = await iterator.next();
        if (done === true) return;
        expect(value.offset).toBeGreaterThanOrEqual(last);
        expect(value.payload.equals(output(value.offset, value.payload.length))).toBe(true);
        last = value.offset + value.payload.length;
      }
    },
  };
}

async function written(log: OutputLog): Promise<number> {
  let end = 0;
  for await (const { offset, payload } of log.read(0, undefined, never))
    end = offset + payload.length;
  return end;
}

/** Truncates the last file, the only one that a crash can tear, but never below the synced end. */
async function cutLast(safeEnd: number, by: number): Promise<void> {
  const names = (await readdir(dir)).filter((name) => /^output\.log(\.\d+)?$/.test(name)).sort();
  const last = names.at(-1);
  if (last === undefined) return;
  const base = Number(/\d+$/.exec(last)?.[0] ?? 0);
  const { size } = await stat(join(dir, last));
  await truncate(join(dir, last), Math.min(size, Math.max(size - by, safeEnd - base, 0)));
}
