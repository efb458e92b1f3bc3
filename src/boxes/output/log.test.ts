import { randomBytes } from 'node:crypto';
import {
  appendFile,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fuzzRuns } from '@a3s-box/test-fuzz';
import { fc, test as fuzz } from '@fast-check/vitest';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { OutputLog } from './log.ts';
import { decodeRecord, encodeRecord, type OutputRecord } from './record.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'a3s-log-'));
});
afterEach(() => rm(dir, { recursive: true }));

const never = new AbortController().signal;

function newLog(): OutputLog {
  return new OutputLog(join(dir, 'output.log'), (error) => {
    throw error;
  });
}

function record(offset: number, payload: Buffer | string, run = 1): OutputRecord {
  return { stream: 1, run, time: 5n, offset, payload: Buffer.from(payload) };
}

async function contents(log: OutputLog): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const { payload } of log.read(0, undefined, never)) parts.push(Buffer.from(payload));
  return Buffer.concat(parts);
}

describe('OutputLog', () => {
  it('reads back arbitrary bytes of several runs, and finds the end offset of each run', async () => {
    const log = newLog();
    const bytes = randomBytes(200_000);
    expect(await log.open(1)).toBe(0);
    for (let at = 0; at < bytes.length; at += 60_000) {
      log.append(record(at, bytes.subarray(at, at + 60_000)));
    }
    await log.flush();
    expect(await log.open(1)).toBe(bytes.length);
    expect(await log.open(2)).toBe(0);
    log.append(record(0, 'again', 2));
    await log.flush();
    await log.close();
    expect(await contents(newLog())).toEqual(Buffer.concat([bytes, Buffer.from('again')]));
  });

  it('truncates a record that a crash left half-written, wherever it was cut', async () => {
    const log = newLog();
    await log.open(1);
    log.append(record(0, 'first'));
    await log.flush();
    const whole = await log.end();
    log.append(record(5, 'second'));
    await log.flush();
    await log.close();
    const full = await readFile(log.path);
    for (let size = whole; size < full.length; size += 1) {
      await truncate(log.path, whole);
      await appendFile(log.path, full.subarray(whole, size));
      const reopened = newLog();
      expect(await reopened.open(1)).toBe(5);
      await reopened.close();
      expect((await readFile(log.path)).length).toBe(whole);
    }
  });

  it('drops zeros that a power cut left after the last record', async () => {
    const log = newLog();
    await log.open(1);
    log.append(record(0, 'kept'));
    await log.flush();
    await log.close();
    await appendFile(log.path, Buffer.alloc(4096));
    const reopened = newLog();
    expect(await reopened.open(1)).toBe(4);
    expect((await contents(reopened)).toString()).toBe('kept');
    await reopened.close();
  });

  it('delivers output to a follower until the run ends, without duplicates', async () => {
    const log = newLog();
    const seen: string[] = [];
    const following = (async () => {
      for await (const { payload } of log.read(0, { run: 1 }, never)) seen.push(payload.toString());
    })();
    await log.open(1);
    for (let i = 0; i < 50; i += 1) {
      log.append(record(i * 2, String(i).padStart(2, '0')));
      if (i % 7 === 0) await log.flush();
    }
    await log.flush();
    log.endRun(1);
    await following;
    expect(seen.join('')).toBe(
      Array.from({ length: 50 }, (_, i) => String(i).padStart(2, '0')).join(''),
    );
    await log.close();
  });

  it('keeps output in memory while the disk is full, and reports the failure', async () => {
    const failures: unknown[] = [];
    const log = new OutputLog(join(dir, 'output.log'), (error) => failures.push(error));
    await log.open(1);
    const other = await open(join(dir, 'other'), 'w');
    const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    const write = vi.spyOn(Object.getPrototypeOf(other), 'write').mockRejectedValueOnce(full);
    await other.close();
    log.append(record(0, 'kept'));
    log.append(record(4, ' whole'));
    await log.flush();
    write.mockRestore();
    expect(failures).toEqual([full]);
    expect((await contents(log)).toString()).toBe('kept whole');
    await log.close();
  });

  it('saves a copy of a log damaged in the middle, and goes on with all readable records', async () => {
    const log = newLog();
    await log.open(1);
    for (const [index, text] of ['one', 'two', 'three'].entries()) {
      log.append(record(index * 10, text));
    }
    await log.flush();
    await log.close();
    const bytes = await readFile(log.path);
    bytes.writeUInt8(bytes.readUInt8(69) ^ 1, 69);
    await writeFile(log.path, bytes);
    const kept: string[] = [];
    const again = new OutputLog(
      log.path,
      () => undefined,
      (path) => kept.push(path),
    );
    expect(await again.open(1)).toBe(25);
    again.append(record(25, 'four'));
    await again.flush();
    expect((await contents(again)).toString()).toBe('onethreefour');
    expect(await readFile(kept[0] ?? '')).toEqual(bytes);
    await again.close();
  });

  it('saves a copy of trailing damage larger than a crash can leave', async () => {
    const log = newLog();
    await log.open(1);
    await log.close();
    await appendFile(log.path, Buffer.alloc(5 * 1024 * 1024, 0xff));
    const kept: string[] = [];
    const again = new OutputLog(
      log.path,
      () => undefined,
      (path) => kept.push(path),
    );
    expect(await again.open(1)).toBe(0);
    expect(kept).toHaveLength(1);
    await again.close();
  });

  it('accepts no output after a failed sync until the log is reopened at the last good offset', async () => {
    const failures: unknown[] = [];
    const log = new OutputLog(join(dir, 'output.log'), (error) => failures.push(error));
    await log.open(1);
    log.append(record(0, 'safe'));
    await log.flush();
    const other = await open(join(dir, 'other'), 'w');
    const failed = Object.assign(new Error('i/o error'), { code: 'EIO' });
    const sync = vi.spyOn(Object.getPrototypeOf(other), 'datasync').mockRejectedValueOnce(failed);
    await other.close();
    log.append(record(4, 'lost'));
    await expect(log.flush()).rejects.toBe(failed);
    sync.mockRestore();
    expect(log.broken).toBe(true);
    log.append(record(8, 'early'));
    await expect(log.flush()).rejects.toBe(failed);
    expect(failures).toEqual([failed]);
    expect(await log.open(1)).toBe(4);
    log.append(record(4, 'again'));
    await log.flush();
    expect((await contents(log)).toString()).toBe('safeagain');
    await log.close();
  });

  it('delivers what is on the disk alone to a reader who does not follow', async () => {
    const log = new OutputLog(join(dir, 'output.log'), () => undefined);
    await log.open(1);
    const other = await open(join(dir, 'other'), 'w');
    const sync = vi.spyOn(Object.getPrototypeOf(other), 'datasync');
    await other.close();
    log.append(record(0, 'safe'));
    await expect.poll(() => log.end()).toBeGreaterThan(0);
    expect(sync).not.toHaveBeenCalled();
    expect((await contents(log)).toString()).toBe('safe');
    expect(sync).toHaveBeenCalledOnce();
    const failed = Object.assign(new Error('i/o error'), { code: 'EIO' });
    sync.mockRejectedValueOnce(failed);
    const end = await log.end();
    log.append(record(4, 'lost'));
    await expect.poll(() => log.end()).toBeGreaterThan(end);
    expect((await contents(log)).toString()).toBe('safe');
    sync.mockRestore();
    await expect(log.flush()).rejects.toBe(failed);
    expect(await log.open(1)).toBe(4);
    await log.close();
  });

  it('does not sync the log of a box with --rm, but keeps it for the next server', async () => {
    const other = await open(join(dir, 'other'), 'w');
    const sync = vi.spyOn(Object.getPrototypeOf(other), 'datasync');
    await other.close();
    const log = newLog();
    await log.open(1, false);
    for (const [at, text] of ['one', 'two'].entries()) {
      log.append(record(3 * at, text));
      await log.flush();
    }
    expect(sync).not.toHaveBeenCalled();
    sync.mockRestore();
    const next = newLog();
    expect(await next.open(1, false)).toBe(6);
    expect((await contents(next)).toString()).toBe('onetwo');
    await next.close();
    await log.close();
  });

  it('ends a follower when its client goes away', async () => {
    const log = newLog();
    const abort = new AbortController();
    const following = (async () => {
      for await (const _ of log.read(0, { run: 1 }, abort.signal));
    })();
    abort.abort();
    await following;
  });
});

fuzz.prop([fc.uint8Array({ maxLength: 200 })], fuzzRuns())(
  'decodes arbitrary bytes without throwing',
  (bytes) => {
    decodeRecord(Buffer.from(bytes));
  },
);

fuzz.prop([fc.uint8Array({ minLength: 1, maxLength: 100 }), fc.nat(), fc.nat(255)], fuzzRuns())(
  'refuses a record with one changed byte',
  (payload, at, change) => {
    const bytes = Buffer.concat(encodeRecord(record(7, Buffer.from(payload))));
    const index = at % bytes.length;
    const before = bytes.readUInt8(index);
    bytes.writeUInt8(before ^ (change === 0 ? 1 : change), index);
    const decoded = decodeRecord(bytes);
    expect(decoded === undefined || 'need' in decoded).toBe(true);
  },
);

it('reads a removed log to its end, and leaves no file open', async () => {
  const log = newLog();
  await log.open(1);
  const whole = randomBytes(300_000);
  log.append(record(0, whole));
  await log.flush();
  const open = async (): Promise<number> => (await readdir('/proc/self/fd')).length;
  const before = await open();
  const reading = log.read(0, { run: 1 }, never);
  const parts: Buffer[] = [];
  for (let n = 0; n < 2; n += 1) {
    const { value } = await reading.next();
    parts.push(Buffer.from(value?.payload ?? []));
  }
  await log.retire();
  log.endRun(1);
  await rm(log.path);
  for await (const { payload } of reading) parts.push(Buffer.from(payload));
  expect(Buffer.concat(parts).equals(whole)).toBe(true);
  // The descriptor for writing is closed as well.
  expect(await open()).toBe(before - 1);
});
