import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildImage, ociArchive } from '../testing/build-image.ts';
import { streamed } from '../testing/streams.ts';
import { type TemporaryStore, temporaryStore } from '../testing/temporary-store.ts';
import { tagTarget } from './tag-target.ts';

let temporary: TemporaryStore;
beforeEach(async () => {
  temporary = await temporaryStore();
});
afterEach(() => temporary.remove());

const built = ['a:1', 'b:1'].map((name) =>
  buildImage({ name, layers: [[{ path: name, data: name }]] }),
);

describe('tag', () => {
  it('adds names to an image, and moves a name from another image', async () => {
    const [a, b] = await temporary.store.load(streamed(ociArchive(built)));
    expect((await temporary.store.tag('a:1', 'host:5000/x')).tags).toEqual([
      'a:1',
      'host:5000/x:latest',
    ]);
    await temporary.store.tag(a?.id ?? '', 'docker.io/library/b:1');
    expect((await temporary.store.resolve('b:1')).id).toBe(a?.id);
    expect((await temporary.store.resolve(b?.id ?? '')).tags).toEqual([]);
    await expect(temporary.store.tag('nope', 'c:1')).rejects.toMatchObject({
      code: 'no-such-image',
    });
  });
});

describe('a new name', () => {
  it.each([
    ['redis', 'docker.io/library/redis:latest'],
    ['team/redis:7', 'docker.io/team/redis:7'],
    ['host:5000/r', 'host:5000/r:latest'],
  ])('parses the new name %s as %s', (text, name) => {
    expect(tagTarget(text)).toBe(name);
  });

  it.each([
    [`redis@sha256:${'1'.repeat(64)}`, /a digest cannot be given/],
    [`redis:7@sha256:${'1'.repeat(64)}`, /a digest cannot be given/],
    ['sha256:abcd', /looks like an image id/],
    ['1'.repeat(64), /an image id, not a name/],
    ['UPPER', /lower case/],
    ['', /empty/],
  ])('refuses the new name %s', (text, message) => {
    expect(() => tagTarget(text)).toThrow(
      expect.objectContaining({
        code: 'invalid-reference',
        message: expect.stringMatching(message),
      }),
    );
  });
});
