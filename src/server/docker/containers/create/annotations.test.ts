import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ovmfImage } from '../../../../cli/testing/ovmf-image.ts';
import { TestHome } from '../../../testing/home.ts';
import { allowConfidential } from '../../../testing/signed-images.ts';

const home = new TestHome();
const files = mkdtempSync(join(tmpdir(), 'a3s-annotations-'));
const { publicKey } = generateKeyPairSync('ed25519');
const PEM = String(publicKey.export({ type: 'spki', format: 'pem' }));
const ONE_LINE = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
const KEY_FILE = join(files, 'broker.pub');

beforeAll(async () => {
  home.trust.rules = [allowConfidential('**')];
  writeFileSync(KEY_FILE, PEM);
  const { confidential } = home.boot;
  if (confidential === undefined) throw new Error('the set has nothing for confidential boxes');
  const paths = {
    firmwarePath: join(files, 'OVMF.fd'),
    kernelPath: join(files, 'bzImage'),
    initrdPath: join(files, 'initrd'),
  };
  for (const path of Object.values(paths)) writeFileSync(path, ovmfImage());
  home.boot = { ...home.boot, confidential: { ...confidential, ...paths } };
  await home.start();
});
afterAll(async () => {
  await home.remove();
  rmSync(files, { recursive: true });
});

type Document = Readonly<Record<string, unknown>>;

interface Found {
  readonly Confidential: unknown;
  readonly Egress: unknown;
  readonly HostConfig: { readonly Annotations?: unknown };
}

async function created(body: Document): Promise<Found> {
  const id = await home.create(['sleep', 'infinity'], body);
  return (await home.call('GET', `/containers/${id}/json`)).body as Found;
}

async function specOf(body: Document): Promise<unknown> {
  const answer = await home.call('POST', '/a3s/v1/measure', { Image: 'busybox', ...body });
  return answer.status === 200 ? (answer.body as { spec: unknown }).spec : answer.body;
}

function annotated(Annotations: Document, body: Document = {}): Document {
  return { ...body, HostConfig: { Annotations } };
}

async function refusal(body: Document): Promise<{ code: string; message: string }> {
  const before = (await home.call('GET', '/containers/json?all=1')).body as unknown[];
  const answer = await home.call('POST', '/containers/create', { Image: 'busybox', ...body });
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect((await home.call('GET', '/containers/json?all=1')).body).toHaveLength(before.length);
  return answer.body as { code: string; message: string };
}

describe('annotations of a create document', () => {
  it('annotations make a box confidential with the launch spec of the same flags', async () => {
    const Confidential = {
      Tee: 'simulate',
      HostMay: ['exec', 'logs'],
      Secrets: [
        { Name: 'token', InjectorKeys: [PEM], Env: 'TOKEN' },
        { Name: 'open', AllowAnyInjector: true },
      ],
      Deployment: 'shop',
      Changes: 'encrypted-disk',
      SecretsDeadline: 120,
      Sealing: 'exact',
      SealerKeys: [PEM],
      HostNetworks: 3,
      HostNames: ['db', 'cache'],
    };
    const spec = await specOf({ Confidential });
    expect(spec).toContain('"shop"');
    const annotations = {
      'dev.a3s.tee': 'simulate',
      'dev.a3s.host-may': 'logs,exec,logs',
      'dev.a3s.secret.token': `from=${KEY_FILE}:env`,
      'dev.a3s.secret.open': 'allow-any-injector',
      'dev.a3s.deployment': 'shop',
      'dev.a3s.changes': 'encrypted-disk',
      'dev.a3s.secrets-deadline': '2m',
      'dev.a3s.sealing': 'exact',
      'dev.a3s.sealer': PEM,
      'dev.a3s.host-networks': '3',
      'dev.a3s.host-name': 'db,cache',
    };
    expect(await specOf(annotated(annotations))).toBe(spec);
    const found = await created(annotated(annotations));
    expect(found.Confidential).toMatchObject({ Tee: 'simulate', Deployment: 'shop' });
    expect(found.HostConfig.Annotations).toEqual(annotations);
  });

  it.each([
    ['PEM', PEM],
    ['PEM in one line', ONE_LINE],
    ['a file', KEY_FILE],
  ])('an annotation takes a key as %s', async (_, key) => {
    const Secrets = [{ Name: 'token', InjectorKeys: [PEM] }];
    expect(
      await specOf(annotated({ 'dev.a3s.tee': 'simulate', 'dev.a3s.secret.token': `from=${key}` })),
    ).toBe(await specOf({ Confidential: { Tee: 'simulate', Secrets } }));
  });

  it('annotations limit what the box reaches', async () => {
    const found = await created(
      annotated(
        {
          'dev.a3s.egress': 'allow:api.example.com:tcp:443\n  deny:203.0.113.0/24 ',
          'dev.a3s.egress-default': 'public',
          'dev.a3s.network-policy': 'rules: ["allow:*.example.org"]',
        },
        { Image: 'busybox' },
      ),
    );
    expect(found.Confidential).toBeNull();
    expect(found.Egress).toEqual({
      Default: 'public',
      Rules: ['allow:api.example.com:tcp:443', 'deny:203.0.113.0/24', 'allow:*.example.org:tcp'],
    });
  });

  it.each(['dev.a3s.tee', 'Dev.A3S.Egress', 'dev.a3s.secret.token', 'dev.a3s.sealer.2'])(
    'the label %s is refused, since it would leave the box as it is',
    async (key) => {
      expect(await refusal({ Labels: { [key]: 'snp' } })).toMatchObject({
        code: 'invalid-argument',
        message: `the label ${key} does nothing: it is an annotation`,
      });
    },
  );

  it('labels may say what annotations say, and anything else', async () => {
    const both = { 'dev.a3s.egress': 'allow:example.org:tcp:443' };
    const Labels = { ...both, 'dev.a3s.note': 'x', 'dev.a3s.builder': 'y' };
    await created({ ...annotated(both), Labels });
  });

  it('annotations of other products are notes', async () => {
    const annotations = { 'io.example/x': 'y', 'dev.a3s': 'z', 'dev.a3sx.tee': 'snp' };
    const found = await created(annotated(annotations));
    expect(found.Confidential).toBeNull();
    expect(found.HostConfig.Annotations).toEqual(annotations);
  });

  const BROKER = `https://broker.example:8443/tenants/team,key=${'a'.repeat(64)}`;

  it('annotations have a box fetch secrets from a broker', async () => {
    const Broker = { Host: 'broker.example', Port: 8443, Tenant: 'team', Key: 'a'.repeat(64) };
    const Secrets = [{ Name: 'token', Resource: 'default/db/token', Env: 'TOKEN' }];
    const spec = await specOf({ Confidential: { Tee: 'simulate', Broker, Secrets } });
    expect(spec).toContain('"tenant":"team"');
    const annotations = {
      'dev.a3s.tee': 'simulate',
      'dev.a3s.broker': BROKER,
      'dev.a3s.secret.token': 'from=broker/default/db/token:env',
    };
    expect(await specOf(annotated(annotations))).toBe(spec);
    expect((await created(annotated(annotations))).Confidential).toMatchObject({
      Broker,
      Secrets: [{ Name: 'token', Resource: 'default/db/token' }],
    });
  });

  const TEE = { 'dev.a3s.tee': 'simulate' };
  it.each([
    [{ 'dev.a3s.x': 'y' }, 'unsupported-option', 'there is no annotation dev.a3s.x'],
    [{ 'dev.a3s.': 'y' }, 'unsupported-option', 'there is no annotation dev.a3s.'],
    [{ 'dev.a3s.toString': 'y' }, 'unsupported-option', 'there is no annotation'],
    [{ 'dev.a3s.Tee': 'snp' }, 'unsupported-option', 'there is no annotation dev.a3s.Tee'],
    [{ 'Dev.A3S.tee': 'snp' }, 'unsupported-option', 'there is no annotation Dev.A3S.tee'],
    [{ ...TEE, ' dev.a3s.boot': 'x' }, 'unsupported-option', 'there is no annotation'],
    [{ ...TEE, 'dev.a3s.broker': 'https://b.example' }, 'invalid-argument', 'it needs key=SHA256'],
    [{ ...TEE, 'dev.a3s.secret.t': 'from=broker/a/b/c' }, 'invalid-argument', 'belong together'],
    [{ ...TEE, 'dev.a3s.secret.t': 'from=broker/a/b' }, 'invalid-argument', 'repository/type/tag'],
    [{ 'dev.a3s.host-may': 'logs' }, 'invalid-argument', 'dev.a3s.tee: it is missing'],
    [{ 'dev.a3s.tee': 'sev' }, 'invalid-argument', 'Tee'],
    [{ 'dev.a3s.tee': '' }, 'invalid-argument', 'Tee'],
    [{ ...TEE, 'dev.a3s.host-may': 'all' }, 'invalid-argument', 'it takes a list of attach'],
    [{ ...TEE, 'dev.a3s.host-networks': '9' }, 'invalid-argument', 'a number from 1 to 8'],
    [{ ...TEE, 'dev.a3s.host-networks': ' 2' }, 'invalid-argument', 'a number from 1 to 8'],
    [
      { ...TEE, 'dev.a3s.host-networks': '2', 'dev.a3s.host-name': 'db, cache' },
      'invalid-argument',
      'hostNames',
    ],
    [{ ...TEE, 'dev.a3s.secret.t': 'x' }, 'invalid-argument', 'it takes from=KEY'],
    [{ ...TEE, 'dev.a3s.secret.t': 'env' }, 'invalid-argument', 'nobody may inject it'],
    [{ ...TEE, 'dev.a3s.secret.': 'allow-any-injector' }, 'invalid-argument', 'no name'],
    [{ ...TEE, 'dev.a3s.secret.t': 'from=broker.pub' }, 'key-invalid', 'nor an absolute path'],
    [
      { ...TEE, 'dev.a3s.secret.t': 'from=/nowhere' },
      'key-invalid',
      'no file of a key that can be read',
    ],
    [{ ...TEE, 'dev.a3s.secret.t': Array(65).fill('from=/x').join(':') }, 'invalid-argument', '64'],
    [
      { ...TEE, 'dev.a3s.secret.t': 'from=/dev/zero' },
      'key-invalid',
      'no file of a key that can be read',
    ],
    [{ ...TEE, 'dev.a3s.secret.t': 'from=/etc/passwd' }, 'key-invalid', 'not one public key'],
    [{ ...TEE, 'dev.a3s.secrets-deadline': '2d' }, 'invalid-argument', 'at most a day'],
    [{ ...TEE, 'dev.a3s.sealing': 'all' }, 'invalid-argument', 'Sealing'],
    [{ 'dev.a3s.egress': 'permit:x' }, 'policy-invalid', 'rules[0]'],
    [{ 'dev.a3s.egress-default': 'allow' }, 'invalid-argument', 'Default'],
  ])('refuses %j', async (annotations, code, message) => {
    const answer = await refusal(annotated(annotations));
    expect(answer.code).toBe(code);
    expect(answer.message).toContain(message);
    expect(answer.message).not.toContain('root:');
  });

  it('refuses a directory as a key', async () => {
    mkdirSync(join(files, 'directory'));
    const answer = await refusal(
      annotated({ ...TEE, 'dev.a3s.secret.t': `from=${join(files, 'directory')}` }),
    );
    expect(answer).toMatchObject({ code: 'key-invalid' });
  });

  it('refuses what a field says as well', async () => {
    const both = { ...annotated(TEE), Confidential: { Tee: 'simulate' } };
    expect(await refusal(both)).toMatchObject({
      code: 'invalid-argument',
      message: expect.stringContaining('the field Confidential and annotations'),
    });
    const egress = { ...annotated({ 'dev.a3s.egress': 'allow:x.org' }), Egress: { Rules: [] } };
    expect(await refusal(egress)).toMatchObject({
      message: expect.stringContaining('the field Egress and annotations'),
    });
  });
});
