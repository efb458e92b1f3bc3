import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');

interface Manifest {
  readonly workspaces?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

function read<T>(path: string): T {
  return JSON.parse(readFileSync(join(ROOT, path), 'utf8'));
}

function wanted(manifest: Manifest): Record<string, string> {
  return { ...manifest.dependencies, ...manifest.devDependencies };
}

const WORKSPACES = read<Manifest>('package.json').workspaces ?? [];

describe('the dependencies of', () => {
  it.each([
    ['', 'package.json', 'package-lock.json'],
    ...WORKSPACES.map((name) => [name, `${name}/package.json`, 'package-lock.json']),
    ['', 'test/fuzz/guided/package.json', 'test/fuzz/guided/package-lock.json'],
  ])(
    'pins the dependencies of %s in %s to one version each, the same as in %s',
    (entry, manifest, lock) => {
      const versions = wanted(read<Manifest>(manifest));
      for (const version of Object.values(versions)) {
        // An alias names the package: two versions of one can be there.
        expect(version).toMatch(/^(npm:[@a-z0-9/]+@)?[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$/);
      }
      const { packages } = read<{ packages: Record<string, Manifest> }>(lock);
      expect(wanted(packages[entry] ?? {})).toEqual(versions);
    },
  );
});
