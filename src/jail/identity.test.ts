import { expect, it } from 'vitest';
import {
  allocateIdentity,
  CONVERTER_IDENTITY,
  checkingIdentity,
  identityFor,
  jailGroup,
  NAME_SERVER_IDENTITY,
  PASTA_IDENTITY,
  SELF_TEST_IDENTITY,
  TEMPLATE_IDENTITY,
} from './identity.ts';

it('allocates the lowest free identity', () => {
  const first = allocateIdentity([]);
  expect(first).toEqual({ uid: 0x7a35_0000, gid: 0x7a35_0000 });
  expect(allocateIdentity([first.uid, first.uid + 2])).toEqual({
    uid: first.uid + 1,
    gid: first.uid + 1,
  });
});

it('gives the programs that check what a box sends an identity that is no box’s', () => {
  const box = allocateIdentity([]);
  expect(checkingIdentity(box)).toEqual({ uid: 0x7a36_0000, gid: 0x7a36_0000 });
  expect(checkingIdentity(box).uid).toBeGreaterThan(CONVERTER_IDENTITY.uid);
});

it('refuses when all identities are taken, and never allocates those of other programs', () => {
  const all = Array.from({ length: 0xfffa }, (_, index) => 0x7a35_0000 + index);
  expect(all).not.toContain(CONVERTER_IDENTITY.uid);
  expect(all).not.toContain(TEMPLATE_IDENTITY.uid);
  expect(all).not.toContain(NAME_SERVER_IDENTITY.uid);
  expect(all).not.toContain(PASTA_IDENTITY.uid);
  expect(all).not.toContain(SELF_TEST_IDENTITY.uid);
  expect(TEMPLATE_IDENTITY).not.toEqual(CONVERTER_IDENTITY);
  expect(() => allocateIdentity(all)).toThrow(expect.objectContaining({ code: 'conflict' }));
  expect(CONVERTER_IDENTITY.uid).toBeLessThan(2 ** 31);
});

it('keeps the user id of an ordinary user', () => {
  expect(identityFor(1000, 100, [])).toEqual({ uid: 1000, gid: 100 });
  expect(identityFor(0, 0, [])).toEqual({ uid: 0x7a35_0000, gid: 0x7a35_0000 });
});

it('derives a group per runtime directory that no user has', () => {
  expect(jailGroup('/run/a3s-box/1/a')).toBe(jailGroup('/run/a3s-box/1/a'));
  expect(jailGroup('/run/a3s-box/1/a')).not.toBe(jailGroup('/run/a3s-box/2/a'));
  expect(jailGroup('/run/a3s-box/1/a')).toBeGreaterThan(CONVERTER_IDENTITY.gid);
  expect(jailGroup('/run/a3s-box/1/a')).toBeLessThan(2 ** 31);
});
