import { describe, expect, it } from 'vitest';
import { parseBind } from './create-binds.ts';
import { parseMounts } from './create-mounts.ts';

const ID = '0123456789abcdef0123456789abcdef';
const code = 'invalid-argument';

const long = (options: Record<string, string>, more: object = {}) =>
  parseMounts(
    {
      ...{ Binds: [], Tmpfs: {}, VolumeDriver: '', VolumesFrom: [] },
      Mounts: [
        {
          ...{ Type: 'volume', Source: 'data', Target: '/data', ReadOnly: false },
          VolumeOptions: { DriverConfig: { Name: '', Options: options }, ...more },
        },
      ],
    } as never,
    {},
  ).volumeMounts[0];

describe('a sealed volume of a request', () => {
  it.each([
    ['sealed', { policy: 'exact', init: false }],
    ['sealed,init', { policy: 'exact', init: true }],
    ['sealed,upgradable,init', { policy: 'upgradable', init: true }],
    [`rw,sealed,id=${ID},exact`, { policy: 'exact', init: false, id: ID }],
    ['sealed,init,counter=a/b/c', { policy: 'exact', init: true, counter: 'a/b/c' }],
    ['sealed,key=broker/a/b/k,init', { policy: 'broker', init: true, key: 'a/b/k' }],
    [
      `sealed,id=${ID},counter=a/b/c,key=broker/a/b/k`,
      { policy: 'broker', init: false, id: ID, key: 'a/b/k', counter: 'a/b/c' },
    ],
  ])('reads the mode %s', (mode, sealed) => {
    expect(parseBind(`data:/data:${mode}`)).toMatchObject({
      ...{ name: 'data', destination: '/data', mode, readonly: false, noCopy: false, sealed },
      kind: { options: { type: 'sealed' }, sealed: true, diskBytes: 10 * 2 ** 30 },
    });
  });

  it.each([
    'init',
    `id=${ID}`,
    'upgradable',
    'sealed,sealed',
    'sealed,exact,upgradable',
    'sealed,nocopy',
    'sealed,shared',
    'sealed,other',
    'sealed,id=0',
    `sealed,id=${ID},id=${ID}`,
    `sealed,init,id=${ID}`,
    'counter=a/b/c',
    'sealed,counter=a/b',
    'sealed,counter=',
    'sealed,counter=a/b/c,counter=a/b/d',
    'key=broker/a/b/k',
    'sealed,key=a/b/k',
    'sealed,key=broker/a/b',
    'sealed,key=',
    'sealed,key=broker/a/b/k,key=broker/a/b/l',
    'sealed,exact,key=broker/a/b/k',
  ])('refuses the mode %s', (mode) => {
    expect(() => parseBind(`data:/data:${mode}`)).toThrow(
      expect.objectContaining({
        code: expect.stringMatching(/^(invalid-argument|unsupported-option)$/),
      }),
    );
  });

  it('refuses a bind mount that is to be sealed', () => {
    expect(() => parseBind('/srv:/data:sealed')).toThrow(expect.objectContaining({ code }));
  });

  it('reads the long form, and leaves the options of the volume to its driver', () => {
    expect(long({ type: 'sealed', size: '64m', init: '' })).toMatchObject({
      sealed: { policy: 'exact', init: true },
      kind: { options: { type: 'sealed', size: '64m' }, diskBytes: 64 * 2 ** 20, sealed: true },
    });
    expect(long({ type: 'sealed', policy: 'upgradable', id: ID })?.sealed).toEqual({
      ...{ policy: 'upgradable', init: false, id: ID },
    });
    expect(long({ type: 'sealed', init: '', key: 'broker/a/b/k' })?.sealed).toEqual({
      ...{ policy: 'broker', init: true, key: 'a/b/k' },
    });
    expect(long({ type: 'disk' })?.sealed).toBeUndefined();
  });

  it.each([
    [{ policy: 'none' }, 'policy must be exact or upgradable'],
    [{ init: 'no' }, 'init is given without a value'],
    [{ id: 'A'.repeat(32) }, 'an id has 32 digits'],
    [{ init: 'true', id: ID }, 'leave out init, or id'],
    [{ policy: 'upgradable', key: 'broker/a/b/k' }, 'leave out upgradable, or key'],
    [{ key: 'a/b/k' }, 'a key is broker/repository/type/tag'],
  ])('refuses the options %o', (options, words) => {
    expect(() => long({ type: 'sealed', ...options })).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(words) }),
    );
  });

  it('refuses options of a sealed volume where it is none, and NoCopy', () => {
    expect(() => long({ type: 'disk', init: '' })).toThrow('invalid option: "init"');
    expect(() => long({ type: 'sealed' }, { NoCopy: true })).toThrow('NoCopy');
  });
});
