/**
 * docs/boxes/images.md against the code: its bounds are those that hold.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS, type Limits } from '../../src/images/limits.ts';

const text = readFileSync(
  join(fileURLToPath(new URL('../..', import.meta.url)), 'docs/boxes/images.md'),
  'utf8',
);

/** How the page writes each bound. */
const WRITTEN: Readonly<Record<keyof Limits, RegExp>> = {
  documentBytes: /^\| manifest, index, configuration \| (\S+ \S+) each \|$/m,
  layers: /^\| layers of an image \| (\S+) \|$/m,
  images: /^\| images of an archive \| (\S+) \|$/m,
  archiveEntries: /^\| files of an archive, outside of the layers \| (\S+) \|$/m,
  archiveBytes: /^\| an archive, decompressed \| (\S+ \S+) \|$/m,
  layerEntries: /^\| files of all layers of a disk \| (\S+) \|$/m,
  layerNameBytes: /^\| their names, link targets and attributes \| (\S+ \S+) \|$/m,
  layerBytes: /^\| a layer, decompressed \| (\S+ \S+); above/m,
  freeExpansion: /^\| a layer, decompressed \|.* above (\S+ \S+), /m,
  expansionRatio: /^\| a layer, decompressed \|.* (\S+) times its size \|$/m,
};

const UNITS: Readonly<Record<string, number>> = { MiB: 2 ** 20, GiB: 2 ** 30 };

function parseAmount(written: string): number {
  const [number = '', unit] = written.replaceAll(',', '').split(' ');
  return Number(number) * (unit === undefined ? 1 : (UNITS[unit] ?? Number.NaN));
}

describe('docs/boxes/images.md', () => {
  it.each(Object.entries(DEFAULT_LIMITS))(
    'docs/boxes/images.md states the limit %s as %d',
    (name, limit) => {
      const pattern = Object.entries(WRITTEN).find(([key]) => key === name)?.[1];
      expect(pattern).toBeDefined();
      expect(parseAmount(pattern?.exec(text)?.[1] ?? '')).toBe(limit);
    },
  );
});
