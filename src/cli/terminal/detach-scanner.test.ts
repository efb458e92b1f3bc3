import { fuzzRuns } from '@a3s-box/test-fuzz';
import { fc, test } from '@fast-check/vitest';
import { expect, it } from 'vitest';
import { DetachScanner } from './detach-scanner.ts';

function scanAll(keys: string, chunks: readonly string[]): { passed: string; detached: boolean } {
  const scanner = new DetachScanner(Buffer.from(keys));
  let passed = '';
  for (const chunk of chunks) {
    const { pass, detached } = scanner.scan(Buffer.from(chunk));
    passed += pass.toString();
    if (detached) return { passed, detached };
  }
  return { passed, detached: false };
}

it.each([
  ['pq', ['abpq'], 'ab', true],
  ['pq', ['abp', 'q'], 'ab', true],
  ['pq', ['pxpq'], 'px', true],
  ['pq', ['ppq'], 'p', true],
  ['pq', ['p'], '', false],
  ['pq', ['p', 'p'], 'p', false],
  ['', ['pq'], 'pq', false],
  ['q', ['aq', 'b'], 'a', true],
] as const)('scans for the detach keys %s in %j', (keys, chunks, passed, detached) => {
  expect(scanAll(keys, chunks)).toEqual({ passed, detached });
});

test.prop(
  [fc.string({ unit: fc.constantFrom('a', 'p', 'q'), maxLength: 40 }), fc.nat(40)],
  fuzzRuns(),
)('passes on everything before the detach keys, wherever reads are cut', (typed, cut) => {
  const at = typed.indexOf('pq');
  const { passed, detached } = scanAll('pq', [typed.slice(0, cut), typed.slice(cut)]);
  expect(detached).toBe(at >= 0);
  // A first detach key at the very end is held back until the next key arrives.
  expect(passed).toBe(at >= 0 ? typed.slice(0, at) : typed.replace(/p$/, ''));
});
