import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mergeReruns, reruns } from './results/flakes.ts';
import { count, type FileResult, type StageReport } from './results/report.ts';
import { ROOT } from './run.ts';
import { again, vitest } from './vitest.ts';

/** Fails the first time that it runs in a directory, and passes the second time. */
const FLAKY = `
import { existsSync, writeFileSync } from 'node:fs';
import { expect, it, describe } from 'vitest';
const failsFirst = (mark) => {
  const ran = existsSync(new URL(mark, import.meta.url));
  writeFileSync(new URL(mark, import.meta.url), '');
  expect(ran, mark).toBe(true);
};
it('costs 1+1 (more)', () => { console.log('it printed this'); failsFirst('top'); });
describe('a suite', () => {
  it('holds', () => {});
  it('wavers', () => failsFirst('inner'));
  it('breaks', () => expect.fail('always'));
});
`;

const HOOK = `
import { existsSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, it } from 'vitest';
describe('a suite', () => {
  beforeAll(() => {
    const mark = new URL('hook', import.meta.url);
    const ran = existsSync(mark);
    writeFileSync(mark, '');
    if (!ran) throw new Error('not the first time');
  });
  it('holds', () => {});
});
`;

let directory: string;
let first: StageReport;
const options = () => ['--root', directory];
const quiet = () => {};

function fileNamed(report: StageReport, name: string): FileResult {
  const file = report.files.find((one) => one.file.endsWith(`/${name}`));
  if (file === undefined) throw new Error(`no ${name} in the report`);
  return file;
}

beforeAll(async () => {
  // Below the checkout, so that Vitest resolves.
  mkdirSync(join(ROOT, 'build'), { recursive: true });
  directory = mkdtempSync(join(ROOT, 'build/vitest-'));
  const config = `export default { test: { projects: [{ test: { name: 'fixture' } }] } };`;
  writeFileSync(join(directory, 'vitest.config.mjs'), config);
  writeFileSync(join(directory, 'flaky.test.mjs'), FLAKY);
  writeFileSync(join(directory, 'hook.test.mjs'), HOOK);
  writeFileSync(join(directory, 'broken.test.mjs'), `throw new Error('does not load');`);
  first = await vitest('fixture', quiet, options());
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('a run of Vitest', () => {
  it('reports each test, with what a failed one printed and why it failed', () => {
    const { file, tests, seconds } = fileNamed(first, 'flaky.test.mjs');
    expect(file).toBe(join(relative(ROOT, directory), 'flaky.test.mjs'));
    expect(tests.map(({ path, state }) => [...path, state])).toEqual([
      ['costs 1+1 (more)', 'failed'],
      ['a suite', 'holds', 'passed'],
      ['a suite', 'wavers', 'failed'],
      ['a suite', 'breaks', 'failed'],
    ]);
    expect(tests[0]?.output).toMatch(/^AssertionError: top: expected false/);
    expect(tests[0]?.output).toMatch(/\nit printed this$/);
    expect(seconds).toBeGreaterThan(0);
  });

  it('reports the error of a hook, and of a file that does not load', () => {
    const hook = fileNamed(first, 'hook.test.mjs');
    expect(hook.errors).toEqual([expect.stringContaining('not the first time')]);
    expect(hook.tests).toEqual([{ path: ['a suite', 'holds'], state: 'skipped', output: '' }]);
    const broken = fileNamed(first, 'broken.test.mjs');
    expect(broken.errors).toEqual([expect.stringContaining('does not load')]);
  });

  it('reports a failure when Vitest ends before it reports', async () => {
    const report = await vitest('no-such-project', quiet, options());
    expect(count([report])).toEqual({ passed: 0, failed: 1, skipped: 0 });
  });

  it('distinguishes flakes from failures by a rerun', async () => {
    const seconds = new Map();
    for (const rerun of reruns(first)) {
      seconds.set(rerun.file, await again('fixture', rerun, quiet, options()));
    }
    const { report, flakes } = mergeReruns(first, seconds, { flakesFail: false });
    const place = relative(ROOT, directory);
    expect(flakes.map(({ test }) => test).toSorted()).toEqual([
      `${place}/flaky.test.mjs > a suite > wavers`,
      `${place}/flaky.test.mjs > costs 1+1 (more)`,
      `${place}/hook.test.mjs`,
    ]);
    // The two failures are the test that always fails and the file that does not load.
    expect(count([report])).toEqual({ passed: 4, failed: 2, skipped: 0 });
    const flake = flakes.find(({ test }) => test.endsWith('> wavers'));
    expect(flake?.first).toContain('AssertionError: inner');
    expect(flake?.second).toContain('3 passed');
  });
});
