import { describe, expect, it } from 'vitest';
import { shortTmpfs } from './create-tmpfs.ts';

const parsed = (options: string) => {
  const { asked: _, destination: __, ...rest } = shortTmpfs('/run', options);
  return rest;
};
const PLAIN = { readonly: false, flags: [] };

describe('the options of a tmpfs', () => {
  it.each([
    ['', PLAIN],
    ['defaults', PLAIN],
    ['rw,nosuid,nodev,noexec,relatime', PLAIN],
    ['ro', { ...PLAIN, readonly: true }],
    ['ro,rw', PLAIN],
    ['exec,noexec,suid', { ...PLAIN, flags: ['suid'] }],
    [
      'sync,dirsync,nodiratime,noatime',
      { ...PLAIN, flags: ['dirsync', 'noatime', 'nodiratime', 'sync'] },
    ],
    ['strictatime,noatime', { ...PLAIN, flags: ['strictatime'] }],
    ['async,atime,diratime,nomand,nostrictatime,norelatime', PLAIN],
    ['private,rprivate,mpol=default', PLAIN],
    ['size=64m', { ...PLAIN, size: { bytes: 64 * 2 ** 20 } }],
    ['size=1G,size=2k', { ...PLAIN, size: { bytes: 2048 } }],
    ['size=0', { ...PLAIN, size: { bytes: 0 } }],
    ['size=50%', { ...PLAIN, size: { percent: 50 } }],
    ['size=0x1e', { ...PLAIN, size: { bytes: 30 } }],
    ['size=010', { ...PLAIN, size: { bytes: 8 } }],
    ['size=1m,nr_blocks=2', { ...PLAIN, size: { bytes: 8192 } }],
    ['nr_inodes=1k', { ...PLAIN, inodes: 1024 }],
    ['mode=1777,uid=1000,gid=0x10', { ...PLAIN, mode: 0o1777, uid: 1000, gid: 16 }],
    ['mode=01777777', { ...PLAIN, mode: 0o7777 }],
  ])('reads %s as the kernel does', (options, expected) => {
    expect(parsed(options)).toEqual(expected);
  });

  it.each([
    ['foobar', 'invalid tmpfs option "foobar"'],
    ['huge=always', 'invalid tmpfs option "huge"'],
    ['noexec=1', 'invalid tmpfs option "noexec"'],
    ['size', 'invalid tmpfs option "size"'],
    ['size=', 'invalid tmpfs option "size="'],
    ['size=1x', 'invalid tmpfs option "size=1x"'],
    ['size=-1', 'invalid tmpfs option "size=-1"'],
    ['size=1.5m', 'invalid tmpfs option "size=1.5m"'],
    ['size=9e', 'invalid tmpfs option "size=9e"'],
    ['size=08', 'invalid tmpfs option "size=08"'],
    ['mode=99', 'invalid tmpfs option "mode=99"'],
    ['mode=0o777', 'invalid tmpfs option "mode=0o777"'],
    ['uid=me', 'invalid tmpfs option "uid=me"'],
    ['gid=4294967295', 'invalid tmpfs option "gid=4294967295"'],
    ['rw,,ro', 'invalid tmpfs option ""'],
    ['constructor', 'invalid tmpfs option "constructor"'],
  ])('refuses %s in Docker’s words', (options, message) => {
    expect(() => parsed(options)).toThrow(
      expect.objectContaining({ code: 'invalid-argument', message }),
    );
  });

  it.each(['dev', 'mand', 'shared', 'unbindable', 'bind', 'remount', 'mpol=interleave'])(
    'refuses %s, which no box has',
    (options) => {
      expect(() => parsed(options)).toThrow(
        expect.objectContaining({
          code: 'unsupported-option',
          message: expect.stringContaining(options.split('=')[0] ?? ''),
        }),
      );
    },
  );

  it.each([
    ['run', "invalid mount path: 'run' mount path must be absolute"],
    ['/', "invalid specification: destination can't be '/'"],
    ['/run/..', "invalid specification: destination can't be '/'"],
  ])('refuses the path %s', (path, message) => {
    expect(() => shortTmpfs(path, '')).toThrow(
      expect.objectContaining({ code: 'invalid-argument', message }),
    );
  });
});
