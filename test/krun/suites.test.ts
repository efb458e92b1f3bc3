import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { excludedFiles, suitesOf } from '../e2e/support/engine-suites.ts';

it('runs each file of test/e2e with libkrun, or says why not', () => {
  const files = readdirSync('test/e2e')
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => name.replace(/\.test\.ts$/, ''));
  const excluded = Object.keys(excludedFiles('krun'));
  expect([...suitesOf('krun'), ...excluded].toSorted()).toEqual(files.toSorted());
});

it('runs a file of QEMU’s with each engine that has what it needs', () => {
  expect(suitesOf('qemu')).toEqual(expect.arrayContaining([...suitesOf('krun')]));
  expect(excludedFiles('qemu')).toEqual({});
});
