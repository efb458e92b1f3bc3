import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { A3sError } from '../../errors.ts';
import type { SecretRequest } from '../record/confidential-request.ts';
import { NO_LIMITS } from '../record/limits.ts';
import { NO_SECURITY } from '../record/security.ts';
import { DEFAULT_CONFINEMENT } from '../spec/confinement/confinement.ts';
import { launchSpecOf, type SpecifiedBox } from './launch-spec.ts';

const BOX: SpecifiedBox = {
  entrypoint: ['/entry'],
  cmd: ['serve'],
  env: ['B=2', 'HOSTNAME=no', 'A=1'],
  cwd: '/srv',
  user: 'www',
  terminal: false,
  openStdin: false,
  hostname: 'box',
  stopSignal: 'SIGTERM',
  memoryBytes: 0,
  nanoCpus: 1_500_000_000,
  limits: NO_LIMITS,
  security: NO_SECURITY,
  network: 'default',
};
const IMAGE = {
  manifestDigest: `sha256:${'2'.repeat(64)}`,
  layers: [{ diffId: `sha256:${'3'.repeat(64)}`, bytes: 8192, root: '4'.repeat(64) }],
  volumes: [],
};
const ASKED: Parameters<typeof launchSpecOf>[2] = {
  hostMay: [],
  secrets: [],
  broker: undefined,
  deployment: '',
  changes: 'memory',
  secretsDeadline: 600,
  sealing: 'none',
  sealerKeys: [],
};

const ed25519 = keyOf(generateKeyPairSync('ed25519').publicKey);
const p256 = keyOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey);

function keyOf(key: KeyObject) {
  const der = key.export({ type: 'spki', format: 'der' });
  const pem = String(key.export({ type: 'spki', format: 'pem' }));
  return { pem, digest: createHash('sha256').update(der).digest('hex') };
}

function secret(parts: Partial<SecretRequest> = {}): SecretRequest {
  const { name = 'token', allowAnyInjector = false, resource, refresh, variable } = parts;
  const injectorKeys = parts.injectorKeys ?? (resource === undefined ? [p256.pem] : []);
  return { name, injectorKeys, allowAnyInjector, resource, refresh, variable };
}

function codeOf(act: () => unknown): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    return error instanceof A3sError ? error.code : String(error);
  }
}

describe('launchSpecOf', () => {
  it('writes the broker, and the paths of the secrets that the box fetches', () => {
    const broker = { host: 'broker.example', port: 8443, tenant: 'default', key: 'a'.repeat(64) };
    const secrets = [secret({ name: 'b', resource: 'x/y/z', refresh: 60 }), secret({ name: 'a' })];
    const { spec } = launchSpecOf(BOX, IMAGE, { ...ASKED, broker, secrets });
    expect(spec.broker).toEqual(broker);
    expect(spec.secrets).toEqual([
      expect.objectContaining({ name: 'a', injectors: [p256.digest] }),
      {
        name: 'b',
        injectors: [],
        allowAnyInjector: false,
        resource: 'x/y/z',
        refresh: 60,
        delivery: { kind: 'file' },
      },
    ]);
    for (const asked of [{ broker }, { secrets }]) {
      expect(codeOf(() => launchSpecOf(BOX, IMAGE, { ...ASKED, ...asked }))).toBe(
        'invalid-argument',
      );
    }
  });

  it('writes filesystems in memory, the size of /dev/shm and a read-only root into a launch spec', () => {
    const mount = (destination: string, size?: { bytes: number } | { percent: number }) => ({
      ...{ destination, readonly: false, flags: ['exec' as const] },
      ...(size === undefined ? {} : { size }),
      asked: { form: 'short' as const, path: destination, options: 'exec' },
    });
    const tmpfs = [mount('/tmp'), mount('/a', { bytes: 4096 }), mount('/b', { percent: 10 })];
    const box = { ...BOX, memoryBytes: 2 ** 30, tmpfs, shmBytes: 8192, readonlyRootfs: true };
    const { spec } = launchSpecOf(box, { ...IMAGE, volumes: ['/tmp', '/log'] }, ASKED);
    const shown = { readonly: false, flags: ['exec'] };
    expect(spec).toMatchObject({
      rootfs: { readonly: true },
      directories: ['/log'],
      shmBytes: 8192,
      tmpfs: [
        { destination: '/a', sizeBytes: 4096, ...shown },
        { destination: '/b', sizeBytes: Math.floor(2 ** 30 / 10), ...shown },
        { destination: '/tmp', sizeBytes: 2 ** 29, ...shown },
      ],
    });
    const { spec: plain } = launchSpecOf(BOX, IMAGE, ASKED);
    expect(plain.rootfs.readonly).toBe(false);
    expect(Object.keys(plain)).not.toContain('tmpfs');
    expect(Object.keys(plain)).not.toContain('shmBytes');
  });

  it('writes the network policy of a box that has one, rules in their order', () => {
    const egress = { default: 'deny' as const, rules: ['deny:b.example', 'allow:*.example:tcp'] };
    expect(launchSpecOf({ ...BOX, egress }, IMAGE, ASKED).spec.egress).toEqual(egress);
    expect(Object.keys(launchSpecOf(BOX, IMAGE, ASKED).spec)).not.toContain('egress');
    const alone = { ...BOX, egress, network: 'none' as const };
    expect(codeOf(() => launchSpecOf(alone, IMAGE, ASKED))).toBe('invalid-argument');
  });

  it('writes exactly this text for a launch spec', () => {
    const { text, digest } = launchSpecOf(BOX, IMAGE, ASKED);
    const confinement = JSON.stringify(sorted(DEFAULT_CONFINEMENT));
    expect(text).toBe(
      `{"confinement":${confinement},"deployment":"","hostMay":[],"hostname":"box",` +
        `"image":{"manifestDigest":"sha256:${'2'.repeat(64)}"},"network":"nic",` +
        '"process":{"args":["/entry","serve"],"cwd":"/srv","env":[' +
        '"A=1","B=2","HOSTNAME=no","PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],' +
        '"stdin":false,"terminal":false,"user":"www"},"resources":{"cpuMillis":1500,"memoryBytes":436207616},' +
        `"rootfs":{"changes":"memory","layers":[{"bytes":8192,"diffId":"sha256:${'3'.repeat(64)}",` +
        `"root":"${'4'.repeat(64)}"}],"readonly":false},"schema":"a3s-box/launch-spec/v1","sealing":"none",` +
        '"secrets":[],"secretsDeadline":600,"stopSignal":"SIGTERM"}',
    );
    expect(digest).toBe(createHash('sha256').update(text).digest('hex'));
  });

  it('lists the directories of the image’s volumes, and no directories key without volumes', () => {
    const { spec, text } = launchSpecOf(BOX, { ...IMAGE, volumes: ['/var/x/', 'data'] }, ASKED);
    expect(spec.directories).toEqual(['/data', '/var/x']);
    const without = text.replace('"directories":["/data","/var/x"],', '');
    expect(without).toBe(launchSpecOf(BOX, IMAGE, ASKED).text);
  });

  it('gives one digest whatever the order of secrets, keys and permissions', () => {
    const asked = (secrets: SecretRequest[], hostMay: ('logs' | 'exec')[]) =>
      launchSpecOf(BOX, IMAGE, { ...ASKED, secrets, hostMay }).digest;
    const a = secret({ name: 'a', injectorKeys: [p256.pem, ed25519.pem] });
    const b = secret({ name: 'b' });
    const again = { ...a, injectorKeys: [ed25519.pem, p256.pem, `\n${p256.pem}\n`] };
    expect(asked([a, b], ['logs', 'exec'])).toBe(asked([b, again], ['exec', 'logs', 'exec']));
  });

  it('names injector keys by the digest of the key, not of its PEM text', () => {
    const env = secret({ variable: 'TOKEN' });
    const any = secret({ name: 'any', injectorKeys: [], allowAnyInjector: true });
    const { spec } = launchSpecOf(BOX, IMAGE, { ...ASKED, secrets: [env, any] });
    expect(spec.secrets).toEqual([
      { name: 'any', injectors: [], allowAnyInjector: true, delivery: { kind: 'file' } },
      {
        ...{ name: 'token', injectors: [p256.digest], allowAnyInjector: false },
        delivery: { kind: 'env', variable: 'TOKEN' },
      },
    ]);
  });

  it('names the keys of sealers by their digests, and has no list of them without keys', () => {
    const sealerKeys = [p256.pem, ed25519.pem, `\n${p256.pem}\n`];
    const { spec } = launchSpecOf(BOX, IMAGE, { ...ASKED, sealing: 'exact', sealerKeys });
    expect(spec).toMatchObject({ sealing: 'exact', sealers: [p256.digest, ed25519.digest].sort() });
    const { spec: inside } = launchSpecOf(BOX, IMAGE, { ...ASKED, sealing: 'upgradable' });
    expect(inside.sealing).toBe('upgradable');
    expect(Object.keys(inside)).not.toContain('sealers');
    const keyless = { ...ASKED, sealing: 'exact' as const, sealerKeys: [privatePem()] };
    expect(codeOf(() => launchSpecOf(BOX, IMAGE, keyless))).toBe('key-invalid');
  });

  it('changes the digest when any attested field changes', () => {
    const first = launchSpecOf(BOX, IMAGE, ASKED).digest;
    const others = [
      launchSpecOf({ ...BOX, cmd: ['serve '] }, IMAGE, ASKED),
      launchSpecOf({ ...BOX, env: [...BOX.env, 'C='] }, IMAGE, ASKED),
      launchSpecOf({ ...BOX, network: 'none' }, IMAGE, ASKED),
      launchSpecOf({ ...BOX, stopSignal: 'SIGINT' }, IMAGE, ASKED),
      launchSpecOf(BOX, { ...IMAGE, manifestDigest: `sha256:${'0'.repeat(64)}` }, ASKED),
      launchSpecOf(BOX, { ...IMAGE, layers: [...IMAGE.layers, ...IMAGE.layers] }, ASKED),
      launchSpecOf(BOX, { ...IMAGE, volumes: ['/data'] }, ASKED),
      ...[
        { storage: { bytes: 2 ** 26, options: { size: '64m' } } },
        { security: { ...NO_SECURITY, devices: [{ path: '/dev/fuse', permissions: 'rwm' }] } },
        { security: { ...NO_SECURITY, deviceRules: ['c 188:* r'] } },
        { security: { ...NO_SECURITY, deviceRules: ['c 188:* rw'] } },
        { security: { ...NO_SECURITY, securityOpt: ['seccomp=unconfined'] } },
        ...['ALLOW', 'LOG'].map((action) => ({
          security: {
            ...NO_SECURITY,
            securityOpt: [`seccomp={"defaultAction":"SCMP_ACT_${action}"}`],
          },
        })),
      ].map((parts) => launchSpecOf({ ...BOX, ...parts }, IMAGE, ASKED)),
      launchSpecOf(BOX, IMAGE, { ...ASKED, hostMay: ['stats'] }),
      launchSpecOf(BOX, IMAGE, { ...ASKED, deployment: 'db' }),
      launchSpecOf(BOX, IMAGE, { ...ASKED, changes: 'encrypted-disk' }),
      launchSpecOf(BOX, IMAGE, { ...ASKED, secretsDeadline: 601 }),
      launchSpecOf(BOX, IMAGE, { ...ASKED, sealing: 'exact' }),
      launchSpecOf(BOX, IMAGE, { ...ASKED, sealing: 'upgradable' }),
      launchSpecOf(BOX, IMAGE, { ...ASKED, sealing: 'exact', sealerKeys: [p256.pem] }),
      launchSpecOf(BOX, IMAGE, { ...ASKED, secrets: [secret()] }),
      launchSpecOf(BOX, IMAGE, { ...ASKED, secrets: [secret({ injectorKeys: [ed25519.pem] })] }),
    ].map(({ digest }) => digest);
    expect(new Set([first, ...others]).size).toBe(others.length + 1);
  });

  it.each<[string, SecretRequest[], string]>([
    ['a private key', [secret({ injectorKeys: [privatePem()] })], 'key-invalid'],
    ['a kind of key that no guest verifies', [secret({ injectorKeys: [rsaPem()] })], 'key-invalid'],
    ['two keys in one text', [secret({ injectorKeys: [p256.pem + ed25519.pem] })], 'key-invalid'],
    ['no key at all', [secret({ injectorKeys: ['broker.pub'] })], 'key-invalid'],
    ['nobody who may inject', [secret({ injectorKeys: [] })], 'invalid-argument'],
    ['somebody and anybody', [secret({ allowAnyInjector: true })], 'invalid-argument'],
    ['one name twice', [secret(), secret()], 'invalid-argument'],
    [
      'one variable twice',
      [secret({ name: 'a', variable: 'T' }), secret({ name: 'b', variable: 'T' })],
      'invalid-argument',
    ],
  ])('refuses %s in a launch spec', (_, secrets, code) => {
    expect(codeOf(() => launchSpecOf(BOX, IMAGE, { ...ASKED, secrets }))).toBe(code);
  });

  it('refuses a launch spec that has no canonical text or is too large', () => {
    expect(codeOf(() => launchSpecOf({ ...BOX, cmd: ['\ud800'] }, IMAGE, ASKED))).toBe(
      'invalid-argument',
    );
    const env = Array.from({ length: 40 }, (_, index) => `V${index}=${'x'.repeat(120_000)}`);
    expect(codeOf(() => launchSpecOf({ ...BOX, env }, IMAGE, ASKED))).toBe('too-large');
  });
});

function privatePem(): string {
  return String(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }));
}

function rsaPem(): string {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return String(publicKey.export({ type: 'spki', format: 'pem' }));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, member]) => [key, sorted(member)]));
}
