import { expect, it } from 'vitest';
import { hostDataOf, isHostDataOf, isPrivilegedHostData } from './host-data.ts';

const DIGEST = 'ab'.repeat(32);

it('makes HOST_DATA of the digest of a launch spec', () => {
  expect(hostDataOf(DIGEST, false)).toBe(DIGEST);
  expect(isPrivilegedHostData(DIGEST)).toBe(false);
});

it('marks the HOST_DATA of a privileged box in its first eight bytes', () => {
  const marked = hostDataOf(DIGEST, true);
  expect(Buffer.from(marked, 'hex').subarray(0, 8).toString()).toBe('a3s-priv');
  expect(marked.slice(16)).toBe(DIGEST.slice(16));
  expect(isPrivilegedHostData(marked)).toBe(true);
});

it('compares HOST_DATA with the digest of a launch spec', () => {
  const other = 'cd'.repeat(32);
  expect(isHostDataOf(DIGEST, DIGEST)).toBe(true);
  expect(isHostDataOf(hostDataOf(DIGEST, true), DIGEST)).toBe(true);
  expect(isHostDataOf(other, DIGEST)).toBe(false);
  expect(isHostDataOf(hostDataOf(other, true), DIGEST)).toBe(false);
});
