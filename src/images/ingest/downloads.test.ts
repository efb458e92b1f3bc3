import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../oci/digest.ts';
import { Blobs } from '../content/blobs.ts';
import { Staging } from '../content/staging.ts';
import { Gate } from '../testing/gate.ts';
import { Downloads } from './downloads.ts';

const BYTES = Buffer.alloc(10_000, 'content');
const DIGEST = digestOf(BYTES);

let root: string;
let blobs: Blobs;
let staging: Staging;
let opened: string[];
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'a3s-downloads-'));
  blobs = await Blobs.open(root);
  staging = await Staging.create(root);
  opened = [];
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const fetcher =
  (downloads: Downloads) =>
  (name: string, source: () => AsyncGenerator<Uint8Array>, signal = new AbortController().signal) =>
    downloads.fetch({
      ...{ digest: DIGEST, size: BYTES.length, staging, signal },
      open: () => {
        opened.push(name);
        return source();
      },
      onBytes: () => undefined,
      onVerify: () => undefined,
    });

async function* whole(): AsyncGenerator<Uint8Array> {
  yield BYTES;
}

describe('a download that others wait for', () => {
  it('abandons a shared download that is too slow, without waiting for its end', async () => {
    const fetch = fetcher(new Downloads(blobs, { milliseconds: 50, bytes: 1000 }));
    const stop = new AbortController();
    const dripping = fetch(
      'drip',
      async function* () {
        for (const byte of BYTES) {
          yield Buffer.from([byte]);
          await setTimeout(5);
        }
      },
      stop.signal,
    );
    expect((await fetch('second', whole)).how).toBe('downloaded');
    expect(opened).toEqual(['drip', 'second']);
    expect(readFileSync(blobs.path(DIGEST)).equals(BYTES)).toBe(true);
    stop.abort(new RangeError('enough'));
    await expect(dripping).rejects.toThrow('enough');
  });

  it('ends the wait for a shared download when it is aborted', async () => {
    const fetch = fetcher(new Downloads(blobs));
    const gate = new Gate();
    const first = fetch('first', async function* () {
      await gate.opened;
      yield BYTES;
    });
    const stop = new AbortController();
    const second = fetch('second', whole, stop.signal);
    stop.abort(new RangeError('left'));
    await expect(second).rejects.toThrow('left');
    gate.open();
    expect((await first).how).toBe('downloaded');
  });
});
