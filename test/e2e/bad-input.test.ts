import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { buildImage, busyboxImage, dockerArchive, ociArchive } from '../images/build-image.ts';
import { Actor, ANY_ACTOR } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { expectRefusal } from './refusal.ts';

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterAll(() => installation.remove());

/** Names that no image can have. What else people get wrong: src/cli/mistakes.test.ts. */
const REFERENCES: readonly (readonly [args: readonly string[], status: number])[] = [
  [['run', 'UPPER/Case', 'true'], 125],
  [['run', '../../etc', 'true'], 125],
  [['run', `${BUSYBOX}@sha256:../../x`, 'true'], 125],
  [['rmi', 'a:b:c'], 1],
];

describe.each(ANY_ACTOR)('invalid input by %s', (name) => {
  let actor: Actor;
  let before: readonly string[];
  beforeAll(async () => {
    actor = new Actor(name, installation);
    await actor.load('busybox');
    before = files();
  });
  afterAll(async () => {
    await actor.leave();
    expect(actor.remains()).toEqual([]);
  });
  afterEach(async () => {
    expect(await actor.ok(['ps', '--all', '--quiet'])).toBe('');
    expect(actor.boxProcesses()).toEqual([]);
    expect(files()).toEqual(before);
  });

  /** A boot set that was installed for a box that was not made is kept for the next one. */
  const files = () =>
    ['boxes', 'images'].flatMap((directory) =>
      readdirSync(join(actor.home, directory), { recursive: true }).map(String).sort(),
    );

  it.each(REFERENCES)('refuses the invalid image reference in %j', async (args, status) => {
    expectRefusal(await actor.run(args), status, 'invalid-reference');
  });

  const image = buildImage({ ...busyboxImage('test/broken:1'), compression: 'none' });
  const [layer] = image.layers;
  const without = { ...image, blobs: new Map(image.blobs) };
  without.blobs.delete(layer?.digest ?? '');
  const whole = ociArchive([image]);
  const damaged = Buffer.from(whole);
  damaged.fill(0xff, whole.length / 2, whole.length / 2 + 512);

  it.each([
    ['no archive', Buffer.from('this is no archive')],
    ['an empty file', Buffer.alloc(0)],
    ['half an archive', whole.subarray(0, whole.length / 2)],
    ['an archive with a layer that was changed', damaged],
    ['an OCI layout without one of its blobs', ociArchive([without])],
    ['a docker-archive without one of its layers', dockerArchive([without])],
  ])('refuses to load %s', async (_, bytes) => {
    const path = join(actor.directory, 'archive');
    writeFileSync(path, bytes);
    expectRefusal(await actor.run(['load', '--input', path]), 1, 'invalid-image');
    expectRefusal(await actor.run(['load'], { stdin: bytes }), 1, 'invalid-image');
    expect(await actor.ok(['images', '--format', '{{.Repository}}:{{.Tag}}'])).toBe(BUSYBOX);
  });
});
