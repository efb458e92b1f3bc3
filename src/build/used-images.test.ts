import { expect, it } from 'vitest';
import { UsedImages } from './used-images.ts';

const image = (name: string, manifest = 'sha256:1', policy = 'sha256:p') => ({
  ...{ name, manifest, policy, verdict: 'unsigned', reason: 'none' },
});

it('keeps an image once that is asked for by its tag and then by its digest', () => {
  const used = new UsedImages();
  for (const name of ['a:1', 'a@sha256:1', 'a:1', 'a:2', 'b@sha256:1', 'b@sha256:1']) {
    used.add(image(name));
  }
  expect(used.list()).toEqual(['a:1', 'a:2', 'b@sha256:1'].map((name) => image(name)));
});

it('keeps both manifests of a tag that was moved, and the last decision about each', () => {
  const used = new UsedImages();
  used.add(image('a:1'));
  used.add(image('a:1', 'sha256:2'));
  used.add(image('a:1', 'sha256:1', 'sha256:q'));
  expect(used.list()).toEqual([image('a:1', 'sha256:1', 'sha256:q'), image('a:1', 'sha256:2')]);
});

it('keeps a bounded number of images', () => {
  const used = new UsedImages();
  for (let n = 0; n < 1000; n += 1) used.add(image(`a:${n}`));
  expect(used.list()).toHaveLength(256);
});
