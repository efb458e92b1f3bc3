import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../run.ts';
import { STAGE_NAMES } from '../stage-names.ts';
import { merged, reachOf } from './reach.ts';

const everything = Object.fromEntries(STAGE_NAMES.map((name) => [name, 'all']));

describe('what a change reaches', () => {
  it('selects everything where no rule matches: set-up, dependencies, configuration', () => {
    for (const path of ['package-lock.json', 'scripts/setup.sh', 'vitest.config.ts', 'new/file']) {
      expect(reachOf([path]), path).toEqual(everything);
    }
  });

  it('selects for prose no checks and only the tests that read it', () => {
    const plan = reachOf(['docs/boxes/images.md', 'README.md']);
    expect(plan.check).toBeUndefined();
    expect(plan.host).toEqual(['test/docs/']);
    expect(plan.vm).not.toBe('all');
  });

  it('selects Go and every VM test for the guest agent', () => {
    expect(reachOf(['native/agent/main.go'])).toEqual({
      ...{ check: 'all', go: 'all', kvm: 'all', vm: 'all' },
      unit: ['ratls/src/errors.test.ts'],
    });
  });

  it('selects the tests that read a changed file where no import shows that', () => {
    expect(reachOf(['src/trust/artifact/problem.ts']).host).toContain('test/docs/trust.test.ts');
    for (const path of ['attestation/src/verify/run.ts', 'policies/src/image-policy/glob.ts']) {
      const { host } = reachOf([path]);
      expect(host, path).toContain('test/docs/package.test.ts');
      expect(host, path).toContain('test/browser/');
    }
  });

  it('selects every VM test for shared code, and some VM tests for other code', () => {
    expect(reachOf(['src/boxes/start/start.ts']).vm).toBe('all');
    expect(reachOf(['src/snapshots/save.ts']).vm).toEqual(['test/e2e/snapshot.test.ts']);
    expect(reachOf(['src/snapshots/save.ts', 'src/boxes/start/start.ts']).vm).toBe('all');
  });

  it('selects unit tests by their imports', () => {
    expect(reachOf(['src/boxes/start.test.ts'])).toMatchObject({ check: 'all', unit: [], vm: [] });
    expect(reachOf(['src/boxes/start.test.ts']).go).toBeUndefined();
  });

  it('selects nothing without a change', () => {
    expect(reachOf([])).toEqual({});
  });

  it('names only existing files', () => {
    const paths = [
      ...['README.md', 'LICENSE', 'attestation/src/x.ts', 'packaging/systemd/x', 'src/trust/x.ts'],
      ...['src/templates/x.ts', 'src/snapshots/x.ts', 'src/images/x.ts'],
    ];
    const files = paths.flatMap((path) => Object.values(reachOf([path]))).flat();
    const named = files.filter((file) => file.includes('/'));
    expect(named.length).toBeGreaterThan(20);
    const there = ['test', 'src', 'ratls', 'policies'].flatMap((directory) =>
      readdirSync(join(ROOT, directory), { recursive: true }).map((path) => `${directory}/${path}`),
    );
    const missing = named.filter((file) => !there.some((path) => path.startsWith(file)));
    expect(missing).toEqual([]);
  });
});

describe('two plans', () => {
  it('merges two plans so that each file runs once', () => {
    expect(merged({ unit: ['a'], vm: 'all' }, { unit: ['a', 'b'], vm: ['c'], go: 'all' })).toEqual({
      unit: ['a', 'b'],
      vm: 'all',
      go: 'all',
    });
  });
});
