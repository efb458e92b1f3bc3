import { describe, expect, it } from 'vitest';
import { checkSealed, specifiedVolumes, withIds } from './sealed-volumes.ts';

const ID = '0123456789abcdef0123456789abcdef';
const INIT = { policy: 'exact', init: true } as const;
const mount = (more: object = {}) => ({
  ...{ name: 'data', destination: '/data', readonly: false, form: 'bind' as const, sealed: INIT },
  ...more,
});
const box = { identity: undefined };
const records = { sealedId: (name: string) => (name === 'data' ? ID : undefined) };

describe('the sealed volumes of a box', () => {
  it('lets a confidential box have them', () => {
    const second = mount({ name: 'other', destination: '/other', form: 'long' });
    expect(() => checkSealed([mount(), second], box)).not.toThrow();
    expect(() =>
      checkSealed([mount({ sealed: undefined, readonly: true })], undefined),
    ).not.toThrow();
  });

  it.each([
    ['a plain box', mount(), undefined, 'unsupported-option', 'not supported for a plain box'],
    ['one of another box', mount({ form: 'path' }), box, 'unsupported-option', 'of another box'],
    ['a read-only one', mount({ readonly: true }), box, 'unsupported-option', 'mounted whole'],
    ['a part of one', mount({ subpath: 'a' }), box, 'unsupported-option', 'mounted whole'],
    ['a capital in its name', mount({ name: 'Data' }), box, 'invalid-argument', 'has 2 to 57 of'],
    ['one without a name', mount({ name: undefined }), box, 'invalid-argument', 'has 2 to 57 of'],
    [
      'an upgradable one without an ID block',
      mount({ sealed: { policy: 'upgradable', init: true } }),
      ...([box, 'invalid-argument', 'no ID block'] as const),
    ],
  ])('refuses %s', (_, each, confidential, code, words) => {
    expect(() => checkSealed([each], confidential)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(words) }),
    );
  });

  it('refuses one that is mounted twice', () => {
    expect(() => checkSealed([mount(), mount({ destination: '/b' })], box)).toThrow(
      expect.objectContaining({
        code: 'invalid-argument',
        message: expect.stringMatching(/twice/),
      }),
    );
  });

  it('takes the id of a volume that boxes have used from its record', () => {
    const bare = mount({ sealed: { policy: 'exact', init: false } });
    expect(withIds(records, [bare])[0]?.sealed).toEqual({ policy: 'exact', init: false, id: ID });
    expect(withIds(records, [mount()])).toEqual([mount()]);
    const named = mount({ name: 'other', sealed: { policy: 'exact', init: false, id: ID } });
    expect(withIds(undefined, [named])).toEqual([named]);
  });

  it('refuses one without an id that nobody knows', () => {
    const bare = mount({ name: 'other', sealed: { policy: 'exact', init: false } });
    expect(() => withIds(records, [bare])).toThrow('no box has made the sealed volume other yet');
    expect(() => withIds(undefined, [bare])).toThrow('has an id that is not known here');
  });

  it('writes them into the launch spec in the order of their names', () => {
    const mounts = [
      mount({ name: 'zz', destination: '/a' }),
      mount(),
      mount({ sealed: undefined }),
    ];
    expect(specifiedVolumes(mounts)).toEqual({
      volumes: [
        { name: 'data', destination: '/data', policy: 'exact', init: true },
        { name: 'zz', destination: '/a', policy: 'exact', init: true },
      ],
    });
    expect(specifiedVolumes([mount({ sealed: undefined })])).toEqual({});
  });
});
