import { expect, it } from 'vitest';
import { DIRECTORY } from '../../volumes/volume.ts';
import { imageVolumes } from './image-volumes.ts';

const at = (destination: string) => ({ destination });

it('asks for an anonymous volume for each volume of the image, by its normalized path', () => {
  const declared = ['/data', '/data/', 'relative', '/a/../b', './c/.//d', '../up', '/dev/shm'];
  const made = imageVolumes(declared, [], DIRECTORY);
  const paths = ['/data', '/relative', '/b', '/c/d', '/up', '/dev/shm'];
  expect(made.map(({ destination }) => destination)).toEqual(paths);
  for (const each of made) {
    expect(each).toMatchObject({
      name: undefined,
      readonly: false,
      noCopy: false,
      form: 'path',
      kind: DIRECTORY,
    });
  }
});

it('makes no volume where something else is mounted, whatever could be mounted there', () => {
  expect(
    imageVolumes(['/data/', '/log'], [at('/data')], DIRECTORY).map((each) => each.destination),
  ).toEqual(['/log']);
  expect(imageVolumes(['/proc/'], [at('/proc')], DIRECTORY)).toEqual([]);
});

it.each(['/', '.', '..', '/a/..', '/proc', '/proc/sys', '/sys', '/dev', 'dev/null', '/x/../proc'])(
  'refuses an image with a volume at %s',
  (path) => {
    expect(() => imageVolumes(['/fine', path], [], DIRECTORY)).toThrow(
      expect.objectContaining({ code: 'invalid-image' }),
    );
  },
);

it('refuses more volumes than a microVM is to serve, and counts those that nothing replaces', () => {
  const many = Array.from({ length: 21 }, (_, index) => `/v${index}`);
  expect(() => imageVolumes(many, [], DIRECTORY)).toThrow(
    expect.objectContaining({
      code: 'invalid-image',
      message: 'Cannot use the image: it declares 21 volumes, more than 20',
    }),
  );
  expect(imageVolumes(many, [at('/v0')], DIRECTORY)).toHaveLength(20);
  expect(imageVolumes([...many.slice(0, 20), '/v0/', 'v1'], [], DIRECTORY)).toHaveLength(20);
});
