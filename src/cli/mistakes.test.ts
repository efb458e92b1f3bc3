// Mistakes on the command line, against a control server over fakes: each is refused with a code,
// and creates nothing. References that name no image can have: test/e2e/bad-input.test.ts, against
// the image store itself.
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ErrorCode } from '../errors.ts';
import { TestHome } from '../server/testing/home.ts';
import { type Transcript, transcript } from './testing/fake-context.ts';

type Case = readonly [args: readonly string[], status: number, code: ErrorCode];

const IMAGE = 'busybox';
const run = (...flags: string[]): readonly string[] => ['run', ...flags, IMAGE, 'true'];

const IMAGES: readonly Case[] = [
  [['run', '--pull', 'never', 'no/such:image', 'true'], 125, 'no-such-image'],
  [['run', 'sha256:0123456789ab', 'true'], 125, 'no-such-image'],
  [['rmi', 'no/such:image'], 1, 'no-such-image'],
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
  [run('-p', '[fe80::1%lo]:80:80'), 125, 'unsupported-option'],
  [run('-p', '80:80/sctp'), 125, 'unsupported-option'],
  [run('-p', '80:80', '--network', 'none'), 125, 'invalid-argument'],
  [run('-v', '/tmp:relative'), 125, 'invalid-argument'],
  [run('-v', 'volume:/data:fast'), 125, 'invalid-argument'],
  [run('-v', 'relative'), 125, 'invalid-argument'],
  [run('--mount', 'type=bind,source=/tmp'), 125, 'invalid-argument'],
  [run('--mount', 'type=image,target=/data'), 125, 'invalid-argument'],
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
  [['load', '--input', '/no/such'], 1, 'invalid-argument'],
];

const FLAGS_AND_COMMANDS: readonly Case[] = [
  [run('--gpus', 'all'), 125, 'unsupported-option'],
  [run('--device', '/dev/kvm'), 125, 'unsupported-option'],
  [run('--no-such-flag'), 125, 'invalid-argument'],
  [['run'], 1, 'invalid-argument'],
  [['search', 'busybox'], 125, 'unsupported-option'],
  [['cp', 'a', 'b'], 1, 'invalid-argument'],
  [['runn', IMAGE], 1, 'invalid-argument'],
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

/**
 * Expects one line with the code, at most two with a remedy, and no output but the empty list of
 * `inspect`.
 */
function expectRefusal({ status, stdout, stderr }: Transcript, expected: number, code: ErrorCode) {
  expect(stderr).toMatch(new RegExp(`^a3s-box: [^\\n]+ \\(${code}\\)\\n([^\\n]+\\n){0,2}$`));
  expect(stderr).not.toMatch(/\n\s+at |Error:|\[object|undefined/);
  expect(stdout).toMatch(/^(\[\]\n)?$/);
  expect(status).toBe(expected);
}

describe('mistakes on the command line', () => {
  const home = new TestHome();
  const a3s = (args: readonly string[]) => transcript(home.config.socket, args);

  beforeAll(() => home.start());
  afterAll(() => home.remove());
  afterEach(async () => {
    expect(await a3s(['ps', '--all', '--quiet'])).toMatchObject({ status: 0, stdout: '' });
    expect(home.host.running).toEqual([]);
  });

  it.each([...IMAGES, ...VALUES, ...FLAGS_AND_COMMANDS, ...UNKNOWN_BOX])(
    'refuses %j, and creates no box',
    async (args, status, code) => {
      expectRefusal(await a3s(args), status, code);
    },
  );

  it('refuses a box with more memory than the host, and prints the host’s memory', async () => {
    const total = /^MemTotal: +(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'));
    const done = await a3s(run('-m', `${total?.[1]}k`));
    expectRefusal(done, 125, 'invalid-argument');
    expect(done.stderr).toMatch(/this host has \d+ MiB/);
  });
});
