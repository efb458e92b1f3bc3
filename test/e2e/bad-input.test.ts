import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../src/errors.ts';
import { buildImage, busyboxImage, dockerArchive, ociArchive } from '../images/build-image.ts';
import { ACTORS, Actor } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { expectRefusal } from './refusal.ts';

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterAll(() => installation.remove());

type Case = readonly [args: readonly string[], status: number, code: ErrorCode];

const run = (...flags: string[]): readonly string[] => ['run', ...flags, BUSYBOX, 'true'];

const IMAGES: readonly Case[] = [
  [['run', '--pull', 'never', 'no/such:image', 'true'], 125, 'no-such-image'],
  [['run', 'sha256:0123456789ab', 'true'], 125, 'no-such-image'],
  [['run', 'UPPER/Case', 'true'], 125, 'invalid-reference'],
  [['run', '../../etc', 'true'], 125, 'invalid-reference'],
  [['run', `${BUSYBOX}@sha256:../../x`, 'true'], 125, 'invalid-reference'],
  [['rmi', 'no/such:image'], 1, 'no-such-image'],
  [['rmi', 'a:b:c'], 1, 'invalid-reference'],
  [['image', 'inspect', 'no/such:image'], 1, 'no-such-image'],
];

const VALUES: readonly Case[] = [
  [run('-m', '1k'), 125, 'invalid-argument'],
  [run('-m', 'much'), 125, 'invalid-argument'],
  [run('-m', '100t'), 125, 'invalid-argument'],
  [run('--cpus', 'many'), 125, 'invalid-argument'],
  [run('--cpus', '1000'), 125, 'invalid-argument'],
  [run('-p', '99999:80'), 125, 'invalid-argument'],
  [run('-p', '80'.repeat(3)), 125, 'invalid-argument'],
  [run('-p', '[::1]:80:80'), 125, 'unsupported-option'],
  [run('-p', '80:80/udp'), 125, 'unsupported-option'],
  [run('-p', '80:80', '--network', 'none'), 125, 'invalid-argument'],
  [run('-v', 'volume:/data'), 125, 'unsupported-option'],
  [run('-v', '/tmp:relative'), 125, 'invalid-argument'],
  [run('--env-file', '/no/such/file'), 125, 'invalid-argument'],
  [run('--name', 'bad name'), 125, 'invalid-argument'],
  [run('--hostname', '-x'), 125, 'invalid-argument'],
  [run('--network', 'host'), 125, 'unsupported-option'],
  [run('--stop-signal', 'SIGNONE'), 125, 'invalid-argument'],
  [run('--stop-timeout', 'soon'), 125, 'invalid-argument'],
  [run('-it'), 1, 'invalid-argument'],
  [['ps', '--filter', 'colour=red'], 1, 'invalid-argument'],
  [['ps', '--format', '{{.Names'], 1, 'invalid-argument'],
  [['logs', '--tail', 'x', 'nobody'], 125, 'invalid-argument'],
];

const FLAGS_AND_COMMANDS: readonly Case[] = [
  [run('--privileged'), 125, 'unsupported-option'],
  [run('--device', '/dev/kvm'), 125, 'unsupported-option'],
  [run('--no-such-flag'), 125, 'invalid-argument'],
  [['run'], 1, 'invalid-argument'],
  [['search', 'busybox'], 125, 'unsupported-option'],
  [['cp', 'a', 'b'], 125, 'unsupported-option'],
  [['runn', BUSYBOX], 1, 'invalid-argument'],
  [['image', 'mangle'], 1, 'invalid-argument'],
];

const UNKNOWN_BOX: readonly Case[] = [
  ['attach', 'nobody'],
  ['exec', 'nobody', 'true'],
  ['inspect', 'nobody'],
  ['kill', 'nobody'],
  ['logs', 'nobody'],
  ['rm', 'nobody'],
  ['start', 'nobody'],
  ['start', '--attach', 'nobody'],
  ['stop', 'nobody'],
  ['wait', 'nobody'],
  ['stop', '../../etc'],
].map((args) => [args, 1, 'no-such-box']);

describe.each(ACTORS)('what %s gets wrong', (name) => {
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
    expect(actor.machines()).toEqual([]);
    expect(files()).toEqual(before);
  });

  /** A boot set that was installed for a box that was not made is kept for the next one. */
  const files = () =>
    ['boxes', 'images'].flatMap((directory) =>
      readdirSync(join(actor.home, directory), { recursive: true }).map(String).sort(),
    );

  it.each([...IMAGES, ...VALUES, ...FLAGS_AND_COMMANDS, ...UNKNOWN_BOX])(
    '%j',
    async (args, status, code) => {
      expectRefusal(await actor.run(args), status, code);
    },
  );

  it('is a box that would need more memory than the host has', async () => {
    const total = /^MemTotal: +(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'));
    const result = await actor.run(run('-m', `${total?.[1]}k`));
    expectRefusal(result, 125, 'invalid-argument');
    expect(result.stderr).toMatch(/this host has \d+ MiB/);
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
  ])('is %s', async (_, bytes) => {
    const path = join(actor.directory, 'archive');
    writeFileSync(path, bytes);
    expectRefusal(await actor.run(['load', '--input', path]), 1, 'invalid-image');
    expectRefusal(await actor.run(['load'], { stdin: bytes }), 1, 'invalid-image');
    expect(await actor.ok(['images', '--format', '{{.Repository}}:{{.Tag}}'])).toBe(BUSYBOX);
  });

  it('is an archive that is not there', async () => {
    expectRefusal(await actor.run(['load', '--input', '/no/such']), 1, 'invalid-argument');
  });
});
