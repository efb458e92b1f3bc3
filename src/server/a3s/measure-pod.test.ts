import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parsePodLaunchSpec } from '@a3s-box/policies';
import { parseAttestationPolicy } from '@a3s-box/policies/attestation-policy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ovmfImage } from '../../cli/testing/ovmf-image.ts';
import { decodeLaunchSpec } from '../../pods/confidential/launch-spec-annotation.ts';
import { TestHome } from '../testing/home.ts';
import { allow, allowConfidential } from '../testing/signed-images.ts';

const home = new TestHome();
const files = mkdtempSync(join(tmpdir(), 'a3s-measure-pod-'));
const KEY = 'a'.repeat(64);

beforeAll(async () => {
  home.trust.rules = [allowConfidential('**')];
  const { confidential } = home.boot;
  if (confidential === undefined) throw new Error('the set has nothing for confidential boxes');
  const paths = {
    firmwarePath: join(files, 'OVMF.fd'),
    kernelPath: join(files, 'bzImage'),
    initrdPath: join(files, 'initrd'),
  };
  for (const path of Object.values(paths)) writeFileSync(path, ovmfImage());
  home.boot = { ...home.boot, confidential: { ...confidential, ...paths, launchSpec: 16 } };
  await home.start();
});
afterAll(async () => {
  await home.remove();
  rmSync(files, { recursive: true });
});

const ANNOTATIONS = {
  'dev.a3s.host-may': 'logs,exec',
  'dev.a3s.deployment': 'shop',
  'dev.a3s.broker': `https://broker.example:8443/tenants/team,key=${KEY}`,
  'dev.a3s.secret.token': 'from=broker/default/db/token',
  'example.org/note': 'kept',
};

function manifest(annotations: object = ANNOTATIONS, image = 'busybox'): string {
  const limits = { memory: '64Mi', cpu: '500m' };
  const container = (name: string) => ({
    ...{ name, image, command: ['sleep', '1'] },
    resources: { limits },
  });
  return JSON.stringify({
    kind: 'Pod',
    metadata: { name: 'shop', annotations },
    spec: {
      ...{ automountServiceAccountToken: false, enableServiceLinks: false, dnsPolicy: 'None' },
      dnsConfig: { nameservers: ['9.9.9.9'], options: [{ name: 'ndots', value: '2' }] },
      securityContext: {
        seccompProfile: { type: 'RuntimeDefault' },
        sysctls: [{ name: 'net.core.somaxconn', value: '128' }],
      },
      containers: [container('web'), container('db')],
    },
  });
}

async function measured(Manifest: string, Tee = 'simulate') {
  const answer = await home.call('POST', '/a3s/v1/measure-pod', { Tee, Manifest });
  return { ...answer, body: answer.body as Record<string, unknown> };
}

describe('POST /a3s/v1/measure-pod', () => {
  it('measures the pods of a manifest, and writes the manifest that brings their launch spec', async () => {
    const { status, body } = await measured(manifest());
    expect(status).toBe(200);
    const text = String(body['spec']);
    const spec = parsePodLaunchSpec(Buffer.from(text));
    expect(spec).toMatchObject({
      ...{ hostname: 'shop', deployment: 'shop', hostMay: ['exec', 'logs'] },
      broker: { host: 'broker.example', port: 8443, tenant: 'team', key: KEY },
      secrets: [{ name: 'token', resource: 'default/db/token' }],
      resolver: { nameservers: ['9.9.9.9'], options: ['ndots:2'] },
      sysctls: [{ path: 'net/core/somaxconn', value: '128' }],
      resources: { memoryBytes: 2 ** 27, cpuMillis: 1000 },
      containers: [{ name: 'db' }, { name: 'web' }],
    });
    expect(body['hostData']).toBe(createHash('sha256').update(text).digest('hex'));
    expect(parseAttestationPolicy(body['policy'])).toMatchObject({
      ...{ tee: 'simulated', hostData: body['hostData'], measurements: [body['measurement']] },
    });
    const { metadata } = body['manifest'] as { metadata: { annotations: Record<string, string> } };
    const { 'dev.a3s.launch-spec': encoded = '', ...rest } = metadata.annotations;
    expect(decodeLaunchSpec(encoded).text).toBe(text);
    expect(rest).toEqual({ 'example.org/note': 'kept' });
    // The processor is in the policy, and not in the launch spec.
    expect((await measured(manifest(), 'snp')).body['spec']).toBe(text);
  });

  it('puts into the launch spec which secrets a container gets, and needs a boot set that knows it', async () => {
    const own = { ...ANNOTATIONS, 'dev.a3s.container-secrets.db': '' };
    const { body } = await measured(manifest(own));
    const spec = parsePodLaunchSpec(Buffer.from(String(body['spec'])));
    const [db, web] = spec.containers;
    expect([db?.secrets, web?.secrets]).toEqual([[], undefined]);
    const { metadata } = body['manifest'] as { metadata: { annotations: object } };
    expect(Object.keys(metadata.annotations).sort()).toEqual([
      'dev.a3s.launch-spec',
      'example.org/note',
    ]);
    const { confidential } = home.boot;
    if (confidential === undefined) throw new Error('the set has something for confidential boxes');
    home.boot = { ...home.boot, confidential: { ...confidential, launchSpec: 15 } };
    expect((await measured(manifest(own))).body).toMatchObject({
      code: 'unsupported-option',
      message: expect.stringContaining('does not support secrets of single containers'),
    });
    // Without the list nothing of it is in the text, and the older agent takes it.
    const before = await measured(manifest());
    home.boot = { ...home.boot, confidential };
    expect(before.body['spec']).toBe((await measured(manifest())).body['spec']);
    expect(String(before.body['spec'])).not.toContain('"secrets":[]');
  });

  it.each([
    [{ 'dev.a3s.container-secrets.cache': '' }, 'invalid-argument', 'no container "cache"'],
    [{ 'dev.a3s.container-secrets.db': 'token' }, 'invalid-argument', 'no secret "token"'],
    [{ 'dev.a3s.container-secrets': 'db' }, 'unsupported-option', 'container-secrets'],
    [{ 'dev.a3s.x': 'y' }, 'unsupported-option', 'dev.a3s.x'],
    [{ 'Dev.A3S.host-may': 'exec' }, 'unsupported-option', 'Dev.A3S.host-may'],
    [{ 'dev.a3s.egress': 'allow:example.org' }, 'unsupported-option', 'network policy'],
    [{ 'dev.a3s.changes': 'encrypted-disk' }, 'invalid-argument', 'dev.a3s.changes'],
    [{ 'dev.a3s.boot': '/boot' }, 'invalid-argument', 'dev.a3s.boot'],
    [
      {
        ...ANNOTATIONS,
        'dev.a3s.secret.token': 'from=broker/default/db/token,refresh=60s',
      },
      'invalid-argument',
      'dev.a3s.secret',
    ],
    [{ 'dev.a3s.sealing': 'all' }, 'invalid-argument', 'Sealing'],
  ])('refuses a manifest with the annotations %j', async (annotations, code, why) => {
    const { body } = await measured(manifest(annotations));
    expect(body).toMatchObject({ code, message: expect.stringContaining(why) });
  });

  it('measures no pod with an image that is not there, or that the policy refuses', async () => {
    expect((await measured(manifest({}, 'nowhere'))).body).toMatchObject({ code: 'no-such-image' });
    home.trust.rules = [allow('**')];
    expect((await measured(manifest({}))).body).toMatchObject({ code: 'image-untrusted' });
    home.trust.rules = [allowConfidential('**')];
  });

  it('measures no pod by a boot set from before there were any', async () => {
    const { confidential } = home.boot;
    if (confidential === undefined) throw new Error('the set has something for confidential boxes');
    home.boot = { ...home.boot, confidential: { ...confidential, launchSpec: 14 } };
    const { body } = await measured(manifest());
    expect(body).toMatchObject({
      code: 'unsupported-option',
      message: expect.stringContaining('does not support confidential pods'),
    });
    home.boot = { ...home.boot, confidential };
  });
});
