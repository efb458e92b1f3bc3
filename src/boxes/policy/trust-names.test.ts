import { describe, expect, it } from 'vitest';
import type { Image } from '../../images/image.ts';
import { namesOnRecord, namesUsed } from './trust-names.ts';

const DIGEST = `sha256:${'d'.repeat(64)}`;
const image: Pick<Image, 'id' | 'tags' | 'repoDigests'> = {
  id: `sha256:cafe${'1'.repeat(60)}`,
  tags: ['app:1', 'app:latest', 'registry.example:5000/team/app:1'],
  repoDigests: [`app@${DIGEST}`, `mirror.example/app@${DIGEST}`],
};
const ALL = [
  'docker.io/library/app:1',
  'docker.io/library/app:latest',
  'registry.example:5000/team/app:1',
  `mirror.example/app@${DIGEST}`,
];

describe('the names that an image is judged by', () => {
  it.each([
    ['app', ['docker.io/library/app:latest']],
    ['docker.io/library/app:1', ['docker.io/library/app:1']],
    ['registry.example:5000/team/app:1', ['registry.example:5000/team/app:1']],
    [`mirror.example/app@${DIGEST}`, [`mirror.example/app@${DIGEST}`]],
    [`app:1@${DIGEST}`, [`docker.io/library/app:1@${DIGEST}`]],
  ])('judges an image by the name that was used: %s', (reference, names) => {
    expect(namesUsed(reference, image)).toEqual(names);
  });

  it.each([
    ['by id', image.id],
    ['by its first digits', 'cafe'],
    ['by its first digits with the algorithm', 'sha256:cafe11'],
    ['by a digest alone', DIGEST],
    ['by a name that is not the image’s', 'other:1'],
    ['by a digest in a repository where it has no name', `other@${DIGEST}`],
  ])('judges an image by all of its names when it is used %s', (_, reference) => {
    expect(namesUsed(reference, image)).toEqual(ALL);
  });

  it('judges an image without names by none', () => {
    expect(namesUsed(image.id, { ...image, tags: [], repoDigests: [] })).toEqual([]);
  });

  it('prefers a name that looks like the first digits of the image’s id', () => {
    const tags = ['cafe:latest', 'other:1'];
    expect(namesUsed('cafe', { ...image, tags })).toEqual(['docker.io/library/cafe:latest']);
  });

  it('refuses an image with more than 64 names', () => {
    const tags = Array.from({ length: 65 }, (_, index) => `app:${index}`);
    expect(() => namesUsed(image.id, { ...image, tags })).toThrow(
      expect.objectContaining({ code: 'conflict', message: expect.stringContaining('names') }),
    );
    expect(namesUsed('app:64', { ...image, tags })).toEqual(['docker.io/library/app:64']);
  });
});

describe('the names of a record without names', () => {
  it.each([
    ['app:gone', ['docker.io/library/app:gone']],
    ['beef', ['docker.io/library/beef:latest']],
    ['cafe', ALL],
    [image.id, ALL],
  ])('derives the names of an older record from its reference: %s', (reference, names) => {
    expect(namesOnRecord(reference, image)).toEqual(names);
  });
});
