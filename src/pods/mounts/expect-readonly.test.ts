import { expect, it } from 'vitest';
import { parseMountTable } from '../../networks/host/mount-table.ts';
import { expectReadonly } from './expect-readonly.ts';

const TABLE = parseMountTable(`36 35 98:0 /a /run/b\\040c ro,noatime shared:1 - ext4 /dev/x rw
37 36 0:50 / /run/b\\040c/below rw,relatime - tmpfs tmpfs rw
38 35 98:0 /d /run/d rw,relatime - ext4 /dev/x ro
39 35 98:0 /e /run/e ro,relatime - ext4 /dev/x rw
40 39 0:51 / /run/e/below ro,relatime - tmpfs tmpfs rw
`);
const check = (recursive: boolean, mounted: string) => () =>
  expectReadonly({ hostPath: '/volume', recursive }, mounted, TABLE);
const refused = expect.objectContaining({ code: 'unsupported-option' });

it('takes a mount that is read-only, whatever is mounted below it', () => {
  expect(check(false, '/run/b c')()).toBe(false);
  expect(check(true, '/run/b c/below')).toThrow(refused);
});

it('says where nothing below a read-only mount can be written either', () => {
  for (const recursive of [true, false]) expect(check(recursive, '/run/e')()).toBe(true);
});

it('refuses a writable mount below one that has to be read-only with all below', () => {
  expect(check(true, '/run/b c')).toThrow(refused);
});

it('refuses a writable mount, one of a read-only file system too, and one that is not there', () => {
  expect(check(false, '/run/d')).toThrow(refused);
  expect(check(false, '/run/none')).toThrow(refused);
});
