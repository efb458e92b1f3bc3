import { describe, expect, it } from 'vitest';
import { hasIdentity } from './privileges.ts';

const IDENTITY = { uid: 1000, gid: 100 };
const status = (uids: string, gids: string, groups: string) =>
  `Name:\tnode\nUid:\t${uids}\nGid:\t${gids}\nFDSize:\t64\nGroups:\t${groups} \nNoNewPrivs:\t1\n`;
const UIDS = '1000\t1000\t1000\t1000';
const GIDS = '100\t100\t100\t100';

describe('the identity of a thread', () => {
  it('accepts a thread with every id of the description and no groups', () => {
    expect(hasIdentity(status(UIDS, GIDS, ''), IDENTITY)).toBe(true);
  });

  it.each([
    ['real user id', '0\t1000\t1000\t1000', GIDS, ''],
    ['saved user id', '1000\t1000\t0\t1000', GIDS, ''],
    ['saved group id', UIDS, '100\t100\t0\t100', ''],
    ['supplementary group', UIDS, GIDS, '0 6'],
  ])('refuses a thread with another %s', (_, uids, gids, groups) => {
    expect(hasIdentity(status(uids, gids, groups), IDENTITY)).toBe(false);
  });
});
