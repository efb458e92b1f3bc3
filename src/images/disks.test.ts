import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import * as durable from '../durable.ts';
import type { Digest } from '../oci/digest.ts';
import type { Conversion, Converter, StoredLayer } from './converter/converter.ts';
import { Disks, standAlone } from './disks.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import { recordPath } from './verity/disk-tree.ts';

vi.mock('../durable.ts', { spy: true });

let root: string;
let asked: ('write' | 'check')[];
let depends: boolean;
let disks: Disks;

const converter: Converter = ({ output }: Conversion) => {
  asked.push(output === undefined ? 'check' : 'write');
  return Promise.resolve(output === undefined || !depends);
};

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'a3s-disks-'));
  asked = [];
  depends = false;
  disks = await Disks.open(join(root, 'erofs'), root, { limits: DEFAULT_LIMITS, converter });
});

afterEach(() => {
  vi.clearAllMocks();
  rmSync(root, { recursive: true, force: true });
});

function layer(): StoredLayer {
  const path = join(root, 'blob');
  writeFileSync(path, 'blob');
  const diffId: Digest = `sha256:${'1'.repeat(64)}`;
  return { diffId, size: 4, path };
}

describe('verifying a layer', () => {
  it('verifies a layer by building its disk', async () => {
    expect(await disks.ensureVerified(standAlone(layer()))).toBe('made');
    expect(asked).toEqual(['write']);
  });

  it('verifies a layer by an attempt to build a disk that turns out to depend on lower layers', async () => {
    depends = true;
    expect(await disks.ensureVerified(standAlone(layer()))).toBe('depends');
    expect(asked).toEqual(['write']);
  });

  it('verifies a layer without output when its disk exists or is being built from another blob', async () => {
    const both = [
      disks.ensureVerified(standAlone(layer())),
      disks.ensureVerified(standAlone(layer())),
    ];
    expect(await Promise.all(both)).toEqual(['made', 'there']);
    expect(asked).toEqual(['write', 'check']);
    expect(await disks.ensureVerified(standAlone(layer()))).toBe('there');
    expect(asked).toEqual(['write', 'check', 'check']);
  });

  it('does not verify a layer when only its disk is needed', async () => {
    await disks.ensureVerified(standAlone(layer()));
    expect(await disks.ensure(standAlone(layer()))).toBe('there');
    expect(asked).toEqual(['write']);
  });
});

it('makes a disk only once the removal of another one’s hash tree is on the disk', async () => {
  const plan = standAlone(layer());
  const path = disks.path(plan.digest);
  writeFileSync(recordPath(path), 'of another disk');
  vi.mocked(durable.removeDurably).mockRejectedValueOnce(new Error('EIO'));
  await expect(disks.ensureVerified(plan)).rejects.toThrow('EIO');
  expect(vi.mocked(durable.removeDurably)).toHaveBeenCalledExactlyOnceWith(recordPath(path));
  expect(existsSync(path)).toBe(false);
  await disks.ensureVerified(plan);
  expect([existsSync(path), existsSync(recordPath(path))]).toEqual([true, false]);
});
