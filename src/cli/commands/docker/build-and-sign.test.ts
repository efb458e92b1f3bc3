import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, it, vi } from 'vitest';
import { type Transcript, transcript } from '../../testing/fake-context.ts';
import { serveFake } from '../../testing/serve-fake.ts';

const { server, socket, directory } = serveFake();

const ID = `sha256:${'1'.repeat(64)}`;
const MANIFEST = `sha256:${'2'.repeat(64)}`;
const ATTACHMENTS = 'POST /a3s/v1/images/app%3A1/attachments';
const bin = join(directory, 'bin');
/** What the client writes of its build. */
const METADATA = { 'image.name': 'app:1', 'containerimage.config.digest': ID };

/** A docker-buildx that writes the metadata of a build, and ends. */
function client(metadata: object, end = 'exit 0'): void {
  mkdirSync(bin, { recursive: true });
  const program = join(bin, 'docker-buildx');
  writeFileSync(
    program,
    `#!/bin/sh
echo "$@" "$BUILDX_BUILDER" > ${directory}/called
while [ "$1" != --metadata-file ]; do shift; done
echo '${JSON.stringify(metadata)}' > "$2"
${end}
`,
  );
  chmodSync(program, 0o755);
}

beforeEach(() => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
  writeFileSync(join(directory, 'release.key'), pem, { mode: 0o600 });
  const base = { Name: 'base:1', Manifest: MANIFEST, Verdict: 'signed', Reason: 'r', Policy: 'p' };
  const json = {
    ...{ Id: ID, RepoDigests: [], RepoTags: ['app:1'], Descriptor: { digest: MANIFEST } },
    Origins: [{ Kind: 'build', Reference: 'app:1', At: '2030-01-01T00:00:00Z', Bases: [base] }],
  };
  server.answers.set('GET /images/app%3A1/json', { json });
  server.answers.set(ATTACHMENTS, { json: { digest: MANIFEST } });
  server.calls.length = 0;
});

const build = (...args: string[]): Promise<Transcript> =>
  transcript(socket, ['build', ...args], { env: { PATH: `${bin}:/usr/bin:/bin` }, cwd: directory });
const attached = () => server.calls.filter(({ call }) => call === ATTACHMENTS);

it('signs the result, and a provenance with what was decided on its base images', async () => {
  client(METADATA);
  const { status, stderr } = await build('--sign', 'release.key', '-t', 'app:1', '.');
  expect(status, stderr).toBe(0);
  expect(stderr).toContain(`Signed app@${MANIFEST}`);
  const bodies = attached().map(({ body }) => JSON.parse(body));
  expect(bodies).toMatchObject([
    { kind: 'signature', subject: MANIFEST },
    { kind: 'attestation', subject: MANIFEST },
  ]);
  expect(attached().map(({ query }) => query.get('upload'))).toEqual(['0', '0']);
});

it('signs nothing where the build fails, and has its status', async () => {
  client(METADATA, 'exit 3');
  expect((await build('--sign', 'release.key', '-t', 'app:1', '.')).status).toBe(3);
  expect(attached()).toEqual([]);
});

it('signs nothing where the client was killed, and says so with its status', async () => {
  client(METADATA, 'kill -KILL $$');
  expect((await build('--sign', 'release.key', '-t', 'app:1', '.')).status).toBe(137);
  expect(attached()).toEqual([]);
});

it('signs no other image that the name means once it was looked at', async () => {
  client(METADATA);
  const call = 'GET /images/app%3A1/json';
  const built = server.answers.get(call) ?? {};
  const other = { Id: MANIFEST, RepoDigests: [], RepoTags: ['app:1'], Descriptor: { digest: ID } };
  const get = server.answers.get.bind(server.answers);
  const looks = vi.spyOn(server.answers, 'get');
  looks.mockImplementation((asked) => {
    const before = server.calls.filter((each) => each.call === call).length;
    return asked === call ? (before > 1 ? { json: other } : built) : get(asked);
  });
  const { status, stderr } = await build('--sign', 'release.key', '-t', 'app:1', '.');
  looks.mockRestore();
  expect(status).not.toBe(0);
  expect(stderr).toMatch(/it means another image by now/);
  expect(attached()).toEqual([]);
});

it.each([
  ['has no name', { 'containerimage.config.digest': ID }, /it has no name/],
  ['has several platforms', { 'image.name': 'app:1' }, /it is not the image of one platform/],
  [
    'has another one’s name by now',
    { ...METADATA, 'containerimage.config.digest': MANIFEST },
    /it means another image by now/,
  ],
])('signs no result that %s', async (_, metadata, reason) => {
  client(metadata);
  const { status, stderr } = await build('--sign=release.key', '.');
  expect(status).not.toBe(0);
  expect(stderr).toMatch(reason);
  expect(attached()).toEqual([]);
});

it('builds nothing with a key that is none', async () => {
  client(METADATA);
  writeFileSync(join(directory, 'called'), '');
  writeFileSync(join(directory, 'release.key'), 'x');
  const { status } = await build('--sign', 'release.key', '-t', 'app:1', '.');
  expect(status).not.toBe(0);
  expect(server.log).toEqual([]);
});
