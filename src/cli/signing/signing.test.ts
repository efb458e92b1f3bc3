import { generateKeyPairSync, verify } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Transcript, transcript } from '../testing/fake-context.ts';
import { serveFake } from '../testing/serve-fake.ts';

const { server, socket, directory } = serveFake();
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const PASSWORD = 'open sesame';

const write = (name: string, content: string | Buffer): void =>
  writeFileSync(join(directory, name), content, { mode: 0o600 });

beforeAll(() => {
  const pkcs8 = { type: 'pkcs8', format: 'pem' } as const;
  write('plain.key', privateKey.export(pkcs8));
  const sealed = { cipher: 'aes-256-cbc', passphrase: PASSWORD } as const;
  write('sealed.key', privateKey.export({ ...pkcs8, ...sealed }));
  write('key.pub', publicKey.export({ type: 'spki', format: 'pem' }));
  write('predicate.json', '{"passed":true}');
});

const IMAGE = 'team.example/app:1';
const MANIFEST = `sha256:${'1'.repeat(64)}`;
const INDEX = `sha256:${'2'.repeat(64)}`;
const OTHER = `sha256:${'3'.repeat(64)}`;
const SUBJECT = `team.example/app@${INDEX}`;
const DISTRIBUTION = 'GET /distribution/team.example%2Fapp%3A1/json';
const INSPECT = 'GET /images/team.example%2Fapp%3A1/json';
const at = (name: string): string => `/a3s/v1/images/${encodeURIComponent(name)}/attachments`;

const STORED = {
  RepoTags: [IMAGE, 'other.example/app:1'],
  RepoDigests: [SUBJECT, `other.example/app@${OTHER}`],
  Descriptor: { digest: MANIFEST },
};

beforeEach(() => {
  server.answers.set(INSPECT, { json: STORED });
  server.answers.set(DISTRIBUTION, { json: { Descriptor: { digest: INDEX }, Platforms: [] } });
  for (const name of [IMAGE, SUBJECT]) {
    server.answers.set(`POST ${at(name)}`, { status: 201, json: { digest: OTHER } });
  }
});

interface Ends {
  readonly env?: Record<string, string>;
  readonly stdin?: PassThrough;
}

const a3s = (args: readonly string[], { env = {}, ...ends }: Ends = {}): Promise<Transcript> =>
  transcript(socket, ['image', ...args], {
    ...{ env: { DOCKER_CONFIG: directory, ...env }, cwd: directory },
    ...ends,
  });
const sign = (...args: string[]) => a3s(['sign', '--key', 'plain.key', ...args]);
const missing = { status: 404, json: { message: 'No such image', code: 'no-such-image' } };

interface Sent {
  readonly kind: string;
  readonly subject: string;
  readonly layers: { annotations: Record<string, string>; data: string }[];
}
function sent(name = IMAGE): { query: object; body: Sent; payload: Buffer } {
  const call = server.called(`POST ${at(name)}`);
  const body: Sent = JSON.parse(call?.body ?? '{}');
  const payload = Buffer.from(body.layers[0]?.data ?? '', 'base64');
  return { query: Object.fromEntries(call?.query ?? []), body, payload };
}

function expectSigned({ body, payload }: ReturnType<typeof sent>): void {
  const text = body.layers[0]?.annotations['dev.cosignproject.cosign/signature'] ?? '';
  expect(verify('sha256', payload, publicKey, Buffer.from(text, 'base64'))).toBe(true);
}

describe('image sign', () => {
  it('signs the digest that registry and store agree on, and sends only the signature', async () => {
    const done = await sign('-a', 'a=1,"b=2,3"', '-a', 'c=', IMAGE);
    expect(done).toEqual({
      ...{ status: 0, stdout: `${SUBJECT}\n`, bytes: Buffer.from(`${SUBJECT}\n`) },
      stderr: 'Pushing signature to: team.example/app\n',
    });
    expect(server.log).toEqual([INSPECT, DISTRIBUTION, `POST ${at(IMAGE)}`]);
    const request = sent();
    expect(request.query).toEqual({ upload: '1' });
    expect(request.body).toMatchObject({ kind: 'signature', subject: INDEX });
    expect(JSON.parse(request.payload.toString())).toEqual({
      critical: {
        identity: { 'docker-reference': 'team.example/app' },
        image: { 'docker-manifest-digest': INDEX },
        type: 'cosign container image signature',
      },
      optional: { a: '1', b: '2,3', c: '' },
    });
    expectSigned(request);
    const key = privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64');
    const all = JSON.stringify(server.calls);
    expect(all).not.toContain('PRIVATE KEY');
    expect(all).not.toContain(key.slice(-40));
  });

  it('warns when the image is not present, and prints its digest', async () => {
    server.answers.set(INSPECT, missing);
    const done = await sign(IMAGE);
    expect(done).toMatchObject({ status: 0, stdout: `${SUBJECT}\n` });
    expect(done.stderr).toContain(`WARNING: ${IMAGE} is a tag, and the image is not here`);
    expectSigned(sent(SUBJECT));
  });

  it('asks no registry when nothing is uploaded, and writes signature and payload', async () => {
    const files = ['--output-signature', 'out.sig', '--output-payload', 'out.json'];
    const done = await sign('--upload=false', ...files, IMAGE);
    expect(done).toMatchObject({ status: 0, stdout: `${SUBJECT}\n`, stderr: '' });
    expect(server.log).toEqual([INSPECT, `POST ${at(IMAGE)}`]);
    expect(sent().query).toEqual({ upload: '0' });
    const [signature, payload] = ['out.sig', 'out.json'].map((name) =>
      readFileSync(join(directory, name), 'utf8'),
    );
    expect(
      verify(
        'sha256',
        Buffer.from(payload ?? ''),
        publicKey,
        Buffer.from(signature ?? '', 'base64'),
      ),
    ).toBe(true);
  });

  it('refuses to sign a tag that means different images here and in the registry', async () => {
    server.answers.set(DISTRIBUTION, { json: { Descriptor: { digest: OTHER } } });
    const done = await sign(IMAGE);
    expect(done).toMatchObject({ status: 1, stdout: '' });
    expect(done.stderr).toBe(
      `a3s-box: Cannot sign ${IMAGE}: here it is ${INDEX}, and the registry has ${OTHER} (conflict)\n` +
        'Push or pull it first, or name the one that you mean by its digest.\n',
    );
    expect(server.log).not.toContain(`POST ${at(IMAGE)}`);
  });

  it('refuses to sign an image by its id', async () => {
    server.answers.set('GET /images/0123456789ab/json', { json: STORED });
    const done = await sign('0123456789ab');
    expect(done.status).toBe(1);
    expect(done.stderr).toContain("it is an image's id (invalid-argument)");
    expect((await sign('1'.repeat(64))).stderr).toContain('an image id, not a name');
    expect(server.log).toEqual(['GET /images/0123456789ab/json']);
  });

  it('prefers the signing password of A3S to that of cosign', async () => {
    const args = ['sign', '--key', 'sealed.key', IMAGE];
    const cosign = { COSIGN_PASSWORD: PASSWORD };
    expect(await a3s(args, { env: cosign })).toMatchObject({ status: 0 });
    const wrong = await a3s(args, { env: { ...cosign, A3S_SIGNING_PASSWORD: 'wrong' } });
    expect(wrong).toMatchObject({ status: 1, stdout: '' });
    expect(wrong.stderr).toBe(
      'a3s-box: Cannot sign with sealed.key: the password is wrong, or the file was changed (key-invalid)\n' +
        'Check A3S_SIGNING_PASSWORD and COSIGN_PASSWORD, in that order.\n',
    );
    const none = await a3s(args);
    expect(none.stderr).toContain('it is encrypted, and there is no password (key-invalid)');
  });

  it('asks for the signing password at a terminal without showing it', async () => {
    const terminal = (keys: string): PassThrough =>
      Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => undefined }).end(keys);
    const args = ['sign', '--key', 'sealed.key', IMAGE];
    const done = await a3s(args, { stdin: terminal(`${PASSWORD}\r`) });
    expect(done).toMatchObject({ status: 0, stdout: `${SUBJECT}\n` });
    expect(done.stderr).toBe(
      'Enter password for private key: \nPushing signature to: team.example/app\n',
    );
    const left = await a3s(args, { stdin: terminal('open\x03') });
    expect(left).toMatchObject({ status: 130, stdout: '' });
    expect(left.stderr).not.toContain('open');
  });

  it('reads a signing key from the environment', async () => {
    const KEY = readFileSync(join(directory, 'plain.key'), 'utf8');
    expect(await a3s(['sign', '--key', 'env://KEY', IMAGE], { env: { KEY } })).toMatchObject({
      status: 0,
    });
    expectSigned(sent());
    expect((await a3s(['sign', '--key', 'env://KEY', IMAGE])).stderr).toContain(
      'Cannot sign with env://KEY: it is not set (key-invalid)',
    );
  });

  it('warns about a key file that others may read', async () => {
    chmodSync(join(directory, 'plain.key'), 0o640);
    const done = await sign(IMAGE);
    chmodSync(join(directory, 'plain.key'), 0o600);
    expect(done.status).toBe(0);
    expect(done.stderr).toContain(
      'WARNING: others than you may use the private key plain.key (mode 0640): chmod 600 it.\n',
    );
  });

  it.each([
    [['--key', 'key.pub', IMAGE], 'it is a public key', 1],
    [['--key', 'none.key', IMAGE], '--key: open none.key: no such file or directory', 125],
    [['--key', 'awskms://alias/x', IMAGE], 'Cannot sign with awskms:// keys', 1],
    [[IMAGE], 'flag --key is missing', 125],
    [['--key', 'plain.key'], 'requires exactly 1 argument', 1],
    [['--key', 'plain.key', '--tlog-upload', IMAGE], 'nothing is put into a transparency log', 125],
    [['--key', 'plain.key', '-a', 'x', IMAGE], 'must be KEY=VALUE', 125],
    [['--key', 'plain.key', '-a', 'x=1=2', IMAGE], 'a value has no "="', 125],
    [['--key', 'plain.key', '-a', 'x=1,x=2', IMAGE], '"x" is given twice', 125],
    [['--key', 'plain.key', '-a', '"x=1', IMAGE], 'its quotes are not those of CSV', 125],
    [['--key', 'plain.key', '--output-payload', 'no/file', IMAGE], 'does not exist', 1],
    [['--key', 'plain.key', '--recursive', IMAGE], 'the signature of an index covers', 125],
  ])('refuses image sign %j', async (args, message, status) => {
    const done = await a3s(['sign', ...args]);
    expect(done.stderr).toContain(message);
    expect(done).toMatchObject({ status, stdout: '' });
    expect(server.log).toEqual([]);
  });
});

describe('image attest', () => {
  it('signs a statement about the image', async () => {
    const flags = ['--key', 'plain.key', '--predicate', 'predicate.json', '--type', 'cyclonedx'];
    const done = await a3s(['attest', ...flags, '--yes', '--tlog-upload=false', IMAGE]);
    expect(done).toMatchObject({
      ...{ status: 0, stdout: `${SUBJECT}\n` },
      stderr: 'Pushing attestation to: team.example/app\n',
    });
    const { body, payload } = sent();
    expect(body).toMatchObject({
      kind: 'attestation',
      subject: INDEX,
      layers: [{ annotations: { predicateType: 'https://cyclonedx.org/bom' } }],
    });
    const said = JSON.parse(payload.toString());
    expect(JSON.parse(Buffer.from(said.payload, 'base64').toString())).toMatchObject({
      subject: [{ name: 'team.example/app', digest: { sha256: '2'.repeat(64) } }],
      predicate: { passed: true },
    });
  });

  it.each([
    [['--predicate', 'predicate.json', '--type', 'nonsense'], 'it is no URI', 1],
    [['--predicate', 'none.json'], '--predicate: open none.json: no such file', 125],
    [[], 'flag --predicate is missing', 125],
    [['--predicate', 'predicate.json', '--replace'], 'attestations are added', 125],
  ])('refuses image attest %j', async (args, message, status) => {
    const done = await a3s(['attest', '--key', 'plain.key', ...args, IMAGE]);
    expect(done.stderr).toContain(message);
    expect(done).toMatchObject({ status, stdout: '' });
    expect(server.log).toEqual([]);
  });
});

describe('image attestations', () => {
  /** Serves what `image attest` has sent as attestations of the image. */
  async function store(...types: string[]): Promise<void> {
    const layers: { mediaType: string; digest: string; size: number }[] = [];
    const blobs: { digest: string; size: number; data: string }[] = [];
    for (const type of types) {
      const flags = ['--key', 'plain.key', '--predicate', 'predicate.json', '--type', type];
      await a3s(['attest', ...flags, IMAGE]);
      const { payload } = sent();
      server.calls.length = 0;
      const digest = `sha256:${String(blobs.length).repeat(64)}`;
      const mediaType = 'application/vnd.dsse.envelope.v1+json';
      layers.push({ mediaType, digest, size: payload.length });
      blobs.push({ digest, size: payload.length, data: payload.toString('base64') });
    }
    lay(layers, blobs);
  }

  function lay(layers: readonly object[], blobs: readonly object[]): void {
    const manifest = Buffer.from(JSON.stringify({ layers })).toString('base64');
    const artifact = { subject: INDEX, digest: OTHER, manifest, blobs };
    server.answers.set(`GET ${at(IMAGE)}`, { json: [artifact] });
  }

  const CHECK = 'https://example.com/check/v1';

  it('lists attestations, and warns that none is verified', async () => {
    await store(CHECK, 'cyclonedx');
    const done = await a3s(['attestations', IMAGE]);
    expect(done.status).toBe(0);
    expect(done.stderr).toBe('None of these is verified: use --key, or a3s-box image verify.\n');
    expect(done.stdout).toMatch(/^TYPE +SIGNER +SUBJECT +DIGEST +SIZE\n/);
    expect(done.stdout).toMatch(
      /check\/v1 +not verified +sha256:222222222222 +sha256:000000000000 +\d+B\n/,
    );
    const one = await a3s(['attestations', '--type', 'cyclonedx', '--format', '{{.Type}}', IMAGE]);
    expect(one.stdout).toBe('https://cyclonedx.org/bom\n');
  });

  it('verifies attestations by a key, and fails when the key signed none', async () => {
    await store(CHECK);
    const list = ['attestations', '--format', '{{.Signer}}', '--key'];
    expect(await a3s([...list, 'key.pub', IMAGE])).toMatchObject({
      ...{ status: 0, stdout: 'key.pub\n', stderr: '' },
    });
    const { publicKey: other } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    write('other.pub', other.export({ type: 'spki', format: 'pem' }).toString());
    expect(await a3s([...list, 'other.pub', IMAGE])).toMatchObject({
      ...{ status: 1, stdout: 'not that key\n' },
    });
    const statements = ['attestations', '--output', '-', '--key'];
    expect(await a3s([...statements, 'other.pub', IMAGE])).toMatchObject({ status: 1, stdout: '' });
    const { status, stdout } = await a3s([...statements, 'key.pub', IMAGE]);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ predicateType: CHECK });
    expect(await a3s(['attestations', '--key', 'plain.key', IMAGE])).toMatchObject({
      ...{ status: 1, stderr: expect.stringContaining('it has a private key') },
    });
  });

  it('writes statements to a file', async () => {
    await store(CHECK, 'cyclonedx');
    const done = await a3s(['attestations', '-o', 'statements.jsonl', IMAGE]);
    expect(done).toMatchObject({ status: 0, stdout: '' });
    const lines = readFileSync(join(directory, 'statements.jsonl'), 'utf8').trim().split('\n');
    expect(lines.map((line) => JSON.parse(line).predicateType)).toEqual([
      CHECK,
      'https://cyclonedx.org/bom',
    ]);
  });

  it('refuses an attestation about another image', async () => {
    await store(CHECK);
    const answer = server.answers.get(`GET ${at(IMAGE)}`);
    const [artifact] = (answer?.json ?? []) as object[];
    server.answers.set(`GET ${at(IMAGE)}`, { json: [{ ...artifact, subject: MANIFEST }] });
    const flags = ['--key', 'key.pub', '--format', '{{.Signer}}, {{.Subject}}'];
    expect(await a3s(['attestations', ...flags, IMAGE])).toMatchObject({
      ...{ status: 1, stdout: 'key.pub, another image\n' },
    });
  });

  it('warns about unreadable attestations, and lists the others', async () => {
    const mediaType = 'application/vnd.dsse.envelope.v1+json';
    const digest = `sha256:${'5'.repeat(64)}`;
    const data = Buffer.from('{"payloadType":"\u001b[31m"}').toString('base64');
    lay([{ mediaType, digest, size: 9 }], [{ digest, size: 9, data }]);
    const done = await a3s(['attestations', '--format', '{{.Type}}', IMAGE]);
    expect(done).toMatchObject({ status: 0, stdout: '' });
    expect(done.stderr).toMatch(/^WARNING: Cannot read attestation sha256:5{64}: /);
    expect(done.stderr).not.toContain('\u001b');
    server.answers.set(`GET ${at(IMAGE)}`, missing);
    expect((await a3s(['attestations', IMAGE])).stderr).toContain('no-such-image');
  });
});
