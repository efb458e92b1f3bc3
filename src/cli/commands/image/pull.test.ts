import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { docker } from '../../../server/testing/docker.ts';
import { type FakeEnds, type Transcript, transcript } from '../../testing/fake-context.ts';
import { serveFake } from '../../testing/serve-fake.ts';

const { server, socket, directory } = serveFake();
const config = join(directory, 'docker');

beforeEach(() => mkdirSync(config));
afterEach(() => {
  rmSync(config, { recursive: true });
});

const a3s = (line: string, ends: FakeEnds = {}): Promise<Transcript> =>
  transcript(socket, line.split(' '), { env: { DOCKER_CONFIG: config }, cwd: directory, ...ends });

const ID = /^a+\d$/;
const POLICY = `sha256:${'b'.repeat(64)}`;

/** The credentials in the header of a call. */
function auth(call: string): unknown {
  const header = server.called(call)?.headers['x-registry-auth'];
  return header === undefined
    ? undefined
    : JSON.parse(Buffer.from(String(header), 'base64url').toString());
}

function knownAt(...registries: string[]): void {
  const entry = { auth: Buffer.from('ann:secret').toString('base64') };
  const auths = Object.fromEntries(registries.map((registry) => [registry, entry]));
  writeFileSync(join(config, 'config.json'), JSON.stringify({ auths }));
}

const PULLED =
  '1: Pulling from library/a\naaaaaaaaaaaa: Pulling fs layer\naaaaaaaaaaaa: Pull complete\n' +
  `Digest: sha256:${'d'.repeat(64)}\nTrust: unsigned, which rule 1 allows\n` +
  'Status: Downloaded newer image for a:1\n';

describe('pull', () => {
  it('prints the progress of a pull in lines, and then the image name', async () => {
    const done = await a3s('pull a:1');
    expect(done).toMatchObject({
      status: 0,
      stdout: `${PULLED}docker.io/library/a:1\n`,
      stderr: '',
    });
  });

  it('pulls the tag latest by default, with a message', async () => {
    const { stdout } = await a3s('pull a');
    expect(stdout).toMatch(/^Using default tag: latest\n/);
    expect(stdout).toMatch(/\ndocker.io\/library\/a:latest\n$/);
    expect(await a3s('image pull -q a')).toMatchObject({ stdout: 'docker.io/library/a:latest\n' });
  });

  it.each([
    ['a:1', { fromImage: 'a', tag: '1' }],
    ['docker.io/library/a:1', { fromImage: 'a', tag: '1' }],
    ['localhost:5000/team/app', { fromImage: 'localhost:5000/team/app', tag: 'latest' }],
    [
      `r.example/app:7@sha256:${'1'.repeat(64)}`,
      { fromImage: 'r.example/app', tag: `sha256:${'1'.repeat(64)}` },
    ],
    ['--platform linux/arm/v7 a:1', { fromImage: 'a', tag: '1', platform: 'linux/arm/v7' }],
  ])('pulls %s with the same request as docker', async (args, query) => {
    await a3s(`pull -q ${args}`);
    expect(Object.fromEntries(server.called('POST /images/create')?.query ?? [])).toEqual(query);
    server.calls.length = 0;
    expect(await docker(socket, ['pull', '-q', ...args.split(' ')])).toMatchObject({ code: 0 });
    expect(Object.fromEntries(server.called('POST /images/create')?.query ?? [])).toEqual(query);
  });

  it('sends credentials only for the registry of the image', async () => {
    knownAt('r.example', 'https://index.docker.io/v1/');
    await a3s('pull r.example/app');
    expect(auth('POST /images/create')).toEqual({
      username: 'ann',
      password: 'secret',
      serveraddress: 'r.example',
    });
    server.calls.length = 0;
    await a3s('pull app');
    expect(auth('POST /images/create')).toMatchObject({
      serveraddress: 'https://index.docker.io/v1/',
    });
    server.calls.length = 0;
    await a3s('pull s.example/app');
    expect(auth('POST /images/create')).toBeUndefined();
  });

  it('uploads the image policy file, and names it in the pull', async () => {
    mkdirSync(join(directory, 'policies'), { recursive: true });
    writeFileSync(join(directory, 'policies/p.yaml'), 'images: []\n');
    await a3s('pull --image-policy policies/p.yaml a');
    const sent = server.called('POST /a3s/v1/image-policies');
    expect(JSON.parse(sent?.body ?? '')).toEqual({
      text: 'images: []\n',
      directory: join(directory, 'policies'),
      path: join(directory, 'policies/p.yaml'),
    });
    expect(server.called('POST /images/create')?.query.get('imagePolicy')).toBe(POLICY);
    server.calls.length = 0;
    const stdin = new PassThrough();
    stdin.end('images: []');
    await a3s('pull --image-policy - a', { stdin });
    expect(JSON.parse(server.called('POST /a3s/v1/image-policies')?.body ?? '')).toEqual({
      text: 'images: []',
      directory,
    });
  });

  it('prints a refusal of the pull in the stream or before it', async () => {
    server.answers.set('POST /images/create', {
      lines: [
        { status: 'Pulling from team/app', id: '1' },
        {
          error: 'rule 2 (r.example/**) wants a signature, and there is none',
          errorDetail: { message: 'rule 2', code: 403 },
          code: 'image-untrusted',
          remedy: 'Sign it.',
        },
      ],
    });
    expect(await a3s('pull r.example/team/app:1')).toMatchObject({
      status: 1,
      stdout: '1: Pulling from team/app\n',
      stderr:
        'a3s-box: rule 2 (r.example/**) wants a signature, and there is none (image-untrusted)\nSign it.\n',
    });
    server.answers.set('POST /images/create', {
      status: 404,
      json: { message: 'r.example has no team/app:1', code: 'not-in-registry' },
    });
    expect(await a3s('pull r.example/team/app:1')).toMatchObject({
      status: 1,
      stdout: '',
      stderr: 'a3s-box: r.example has no team/app:1 (not-in-registry)\n',
    });
  });

  it('ends a pull on a signal by closing the connection', async () => {
    server.answers.set('POST /images/create', {
      lines: [{ status: 'Pulling from library/a', id: '1' }],
      endless: true,
    });
    const before = server.left;
    const done = await a3s('pull a:1', { onOutput: (_, signal) => signal('SIGINT') });
    expect(done).toMatchObject({ status: 130, stdout: '1: Pulling from library/a\n', stderr: '' });
    await expect.poll(() => server.left).toBe(before + 1);
  });

  it('reports a lost server during a pull', async () => {
    server.answers.set('POST /images/create', { lines: [{ status: 'x' }], endless: true });
    const done = await a3s('pull a:1', { onOutput: () => server.drop() });
    expect(done.status).toBe(1);
    expect(done.stderr).toMatch(/\(server-unreachable\)/);
  });

  it.each([
    ['pull -a x', 125, 'unsupported flag -a for pull: name each tag'],
    ['pull --disable-content-trust=false x', 125, 'unsupported flag --disable-content-trust'],
    ['pull', 1, 'requires exactly 1 argument'],
    ['pull UPPER', 1, 'must be in lower case'],
    ['pull --platform a/b/c/d x', 125, 'invalid argument "a/b/c/d" for "--platform" flag'],
    ['pull --image-policy gone.yaml x', 125, '--image-policy: open gone.yaml: no such file'],
    ['search nginx', 125, 'unsupported command search: look in'],
    ['push -a x:1', 1, 'tag cannot be used with --all-tags'],
    [`push x@sha256:${'1'.repeat(64)}`, 1, 'cannot push a digest reference'],
    ['run --pull sometimes x', 125, 'must be one of "always", "missing", or "never"'],
    ['run -i --image-policy - x', 125, 'standard input is for the box'],
    ['import https://u:secret@x.example/a.tar', 125, 'unsupported source URL'],
    ['import /nope', 1, 'open /nope: no such file or directory'],
    ['import .', 1, 'open .: is a directory'],
    ['save -o /nope/x a', 1, 'invalid output path: directory "/nope" does not exist'],
    ['save -o . a', 1, 'invalid output path: "." is a directory'],
    ['images --tree -q', 1, '--quiet is not supported with --tree'],
  ])('refuses the command line: %s', async (line, status, message) => {
    const done = await a3s(line);
    expect(done.stderr).toContain(message);
    expect(done.stderr).not.toContain('secret');
    expect(done.status).toBe(status);
    expect(server.log).toEqual([]);
  });
});

describe('run and create', () => {
  const log = (): readonly string[] => server.log.map((call) => call.replace(/a{9,}\d/, 'ID'));

  it('pulls a missing image, with progress on standard error', async () => {
    const done = await a3s('create --platform linux/amd64 missing');
    expect(done.stdout.trim()).toMatch(ID);
    expect(done.stderr).toMatch(
      /^Unable to find image 'missing:latest' locally\nlatest: Pulling from library\/missing\n/,
    );
    expect(log()).toEqual([
      'POST /containers/create',
      'POST /images/create',
      'POST /containers/create',
    ]);
    for (const { query } of server.calls) expect(query.get('platform')).toBe('linux/amd64');
  });

  it('does not ask the registry for an image that is present', async () => {
    expect(await a3s('run box exit 3')).toMatchObject({ status: 3, stderr: '' });
    expect(log()).not.toContain('POST /images/create');
  });

  it('pulls each time with --pull always, quietly with -q', async () => {
    expect(await a3s('run --pull always -q box exit 3')).toMatchObject({ status: 3, stderr: '' });
    expect(log().slice(0, 2)).toEqual(['POST /images/create', 'POST /containers/create']);
    server.answers.set('POST /images/create', {
      lines: [{ error: 'no route to it', code: 'registry-unreachable' }],
    });
    const done = await a3s('run --pull=always box exit 3');
    expect(done).toMatchObject({
      status: 125,
      stderr: 'a3s-box: no route to it (registry-unreachable)\n',
    });
  });

  it('pulls nothing with --pull never', async () => {
    const done = await a3s('run --pull never missing');
    expect(done.status).toBe(125);
    expect(log()).toEqual(['POST /containers/create']);
  });

  it('pulls nothing for an image id', async () => {
    const id = 'c'.repeat(64);
    for (const image of [id, `sha256:${id}`]) {
      const json = { message: `No such image: ${image}`, code: 'no-such-image' };
      server.answers.set('POST /containers/create', { status: 404, json });
      expect((await a3s(`run ${image}`)).stderr).toBe(
        `a3s-box: No such image: ${image} (no-such-image)\n`,
      );
    }
    expect(server.called('POST /images/create')).toBeUndefined();
  });

  it('names the policy in create and start, and refreshes signatures once', async () => {
    knownAt('r.example');
    writeFileSync(join(directory, 'p.yaml'), 'images: []');
    await a3s('run -d --image-policy p.yaml --refresh-signatures r.example/app signals');
    expect(log()).toEqual([
      'POST /a3s/v1/image-policies',
      'POST /containers/create',
      'POST /containers/ID/start',
    ]);
    const [, create, start] = server.calls;
    expect(create?.query.get('imagePolicy')).toBe(POLICY);
    expect(create?.query.get('refreshSignatures')).toBe('1');
    expect(auth('POST /containers/create')).toMatchObject({ username: 'ann' });
    expect(Object.fromEntries(start?.query ?? [])).toEqual({ imagePolicy: POLICY });
    expect(start?.headers['x-registry-auth']).toBeUndefined();
  });

  it('starts a box under another policy, with credentials for the registry', async () => {
    knownAt('r.example');
    writeFileSync(join(directory, 'p.yaml'), 'images: []');
    const [id] = (await a3s('create r.example/app signals')).stdout.split('\n');
    const json = { Id: id, Config: { Image: 'r.example/app' } };
    server.answers.set(`GET /containers/${id}/json`, { json });
    expect(await a3s(`start --image-policy p.yaml --refresh-signatures ${id}`)).toMatchObject({
      status: 0,
    });
    const start = server.called(`POST /containers/${id}/start`);
    expect(Object.fromEntries(start?.query ?? [])).toEqual({
      imagePolicy: POLICY,
      refreshSignatures: '1',
    });
    expect(auth(`POST /containers/${id}/start`)).toMatchObject({ serveraddress: 'r.example' });
  });

  it('ends a pull by run or create on a signal, and creates no box', async () => {
    server.answers.set('POST /images/create', { lines: [{ status: 'x' }], endless: true });
    for (const command of ['run', 'create']) {
      const running = a3s(`${command} missing`, {
        onConnect: (signal) =>
          void expect
            .poll(() => server.called('POST /images/create'))
            .toBeDefined()
            .then(() => signal('SIGINT')),
      });
      expect(await running).toMatchObject({ status: 130, stdout: '' });
      expect(server.boxes.size).toBe(0);
      server.calls.length = 0;
    }
  });
});

describe('push', () => {
  it('prints the layers of a push, and then the digest', async () => {
    knownAt('r.example');
    server.answers.set('POST /images/r.example%2Fapp/push', {
      lines: [
        { status: 'The push refers to repository [r.example/app]' },
        { status: 'Preparing', progressDetail: {}, id: 'aaaaaaaaaaaa' },
        { status: 'Pushing', progressDetail: { current: 1, total: 2 }, id: 'aaaaaaaaaaaa' },
        { status: 'Pushed', progressDetail: {}, id: 'aaaaaaaaaaaa' },
        { status: '1: digest: sha256:00 size: 500' },
      ],
    });
    const done = await a3s('push --signatures r.example/app:1');
    expect(done).toMatchObject({
      status: 0,
      stdout:
        'The push refers to repository [r.example/app]\naaaaaaaaaaaa: Preparing\naaaaaaaaaaaa: Pushed\n1: digest: sha256:00 size: 500\n',
    });
    const call = server.called('POST /images/r.example%2Fapp/push');
    expect(Object.fromEntries(call?.query ?? [])).toEqual({ tag: '1', signatures: '1' });
    expect(auth('POST /images/r.example%2Fapp/push')).toMatchObject({ password: 'secret' });
    expect(await a3s('push -q r.example/app')).toMatchObject({ stdout: 'r.example/app:latest\n' });
    expect(server.calls.at(-1)?.query.get('tag')).toBe('latest');
    expect(await a3s('push -a -q r.example/app')).toMatchObject({ stdout: 'r.example/app\n' });
    expect(server.calls.at(-1)?.query.get('tag')).toBeNull();
  });
});
