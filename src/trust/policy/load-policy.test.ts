import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { A3sError } from '../../errors.ts';
import type { LoadedPolicy, Requirement } from '../policy.ts';
import { SHIPPED_ROOT } from '../roots/shipped-root.ts';
import { loadPolicy } from './load-policy.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-policy-'));
});

afterEach(() => rmSync(directory, { recursive: true }));

const write = (name: string, text: string): void => writeFileSync(join(directory, name), text);

const publicKey = (): string =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .publicKey.export({ type: 'spki', format: 'pem' })
    .toString();

const load = (document: object | string): Promise<LoadedPolicy> =>
  loadPolicy(
    {
      source: 'call',
      path: 'policy.yaml',
      text: typeof document === 'string' ? document : JSON.stringify(document),
      directory,
    },
    { tufCache: join(directory, 'tuf') },
  );

const requiring = (entry: object, more: object = {}): object => ({
  images: [{ pattern: '**', require: [entry] }],
  ...more,
});

async function requirementOf(document: object): Promise<Requirement> {
  const { rules } = await load(document);
  const rule = rules[0];
  const first = rule?.action === 'require' ? rule.require[0] : undefined;
  if (first === undefined) throw new TypeError('no requirement');
  return first;
}

async function errorOf(document: object | string): Promise<A3sError> {
  const error: unknown = await load(document).catch((reason: unknown) => reason);
  if (!(error instanceof A3sError)) throw new TypeError('it was taken', { cause: error });
  expect(error.code).toBe('policy-invalid');
  return error;
}

describe('loadPolicy', () => {
  it('loads the rules of each kind in their order', async () => {
    write('a.pub', publicKey());
    const policy = await load({
      images: [
        { pattern: 'a.example/**', require: [{ keys: ['a.pub'], transparencyLog: 'none' }] },
        { pattern: 'b.example/**', deny: 'withdrawn' },
        { pattern: 'c.example/**', deny: true },
        { pattern: 'd.example/*', allowUnsigned: true },
        { pattern: 'e.example/*', allowUnsigned: true, allowUnsignedConfidential: true },
      ],
    });
    expect(policy).toMatchObject({ source: 'call', path: 'policy.yaml' });
    expect(policy.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(policy.rules).toMatchObject([
      { action: 'require', require: [{ keys: [{ name: 'a.pub' }], transparencyLog: 'none' }] },
      { action: 'deny', reason: 'withdrawn' },
      { action: 'deny', reason: undefined },
      { action: 'allowUnsigned' },
      { action: 'allowUnsigned', confidential: true },
    ]);
    expect(policy.rules[3]).not.toHaveProperty('confidential');
    expect(policy.match('a.example/team/app')).toBe(0);
    expect(policy.match('B.EXAMPLE/app')).toBe(1);
    expect(policy.match('d.example/app')).toBe(3);
    expect(policy.match('d.example/team/app')).toBeUndefined();
    expect(policy.match('')).toBeUndefined();
  });

  it('matches an image without a name by ** only', async () => {
    const { match } = await load({
      images: [
        { pattern: '*/**', deny: true },
        { pattern: '**', allowUnsigned: true },
      ],
    });
    expect(match('')).toBe(1);
    expect(match('docker.io/library/redis')).toBe(0);
  });

  it('reads inline keys, and names them by their number', async () => {
    const { keys } = await requirementOf(requiring({ keys: [publicKey(), publicKey()] }));
    expect(keys.map(({ name }) => name)).toEqual(['key 1', 'key 2']);
  });

  it('compares identities exactly, or by a pattern of the whole subject', async () => {
    const issuer = 'https://issuer.example';
    const { identities } = await requirementOf(
      requiring({
        identities: [
          { issuer, subject: 'ci@team.example' },
          { issuer, subjectPattern: '*@team.example' },
          { issuer, subjectPattern: 'https://code.example/team/*/release.yml@refs/tags/*' },
        ],
      }),
    );
    const [exact, mail, workflow] = identities;
    expect(exact?.matches('ci@team.example')).toBe(true);
    expect(exact?.matches('CI@team.example')).toBe(false);
    expect(exact?.matches('xci@team.example')).toBe(false);
    expect(exact?.text).toBe('ci@team.example of https://issuer.example');
    expect(mail?.matches('ci@team.example')).toBe(true);
    expect(mail?.matches('ci@team.example.evil.example')).toBe(false);
    expect(mail?.matches('ci@team-example')).toBe(false);
    expect(mail?.matches(`${'x'.repeat(5000)}@team.example`)).toBe(false);
    const at = (path: string): string =>
      `https://code.example/team/${path}/release.yml@refs/tags/v1`;
    expect(workflow?.matches(at('app'))).toBe(true);
    expect(workflow?.matches(at('app/evil'))).toBe(false);
    expect(workflow?.matches(`${at('app')}/x`)).toBe(false);
  });

  it('computes the digest of a policy from its meaning, not from the place of its keys', async () => {
    const [one, two] = [publicKey(), publicKey()];
    write('a.pub', one);
    const first = await load(requiring({ keys: ['a.pub'] }));
    const again = await load(
      `# reordered, and every default written out\nimages:\n  - require:\n      - threshold: 1\n        keys: [a.pub]\n    pattern: "**"\n`,
    );
    expect(again.digest).toBe(first.digest);
    write('a.pub', two);
    expect((await load(requiring({ keys: ['a.pub'] }))).digest).not.toBe(first.digest);
    write('b.pub', one);
    expect((await load(requiring({ keys: ['b.pub'] }))).digest).not.toBe(first.digest);
  });

  it('follows symbolic links to keys', async () => {
    mkdirSync(join(directory, 'keys'));
    write('keys/a.pub', publicKey());
    symlinkSync('keys/a.pub', join(directory, 'link.pub'));
    expect((await requirementOf(requiring({ keys: ['link.pub'] }))).keys).toHaveLength(1);
  });

  it('counts two files with the same key as one key', async () => {
    const key = publicKey();
    write('a.pub', key);
    write('b.pub', key);
    const { message } = await errorOf(requiring({ keys: ['a.pub', 'b.pub'], threshold: 2 }));
    expect(message).toContain(
      'images[0].require[0].threshold: expected at most 1, the number of different keys and identities, found 2',
    );
  });

  it('reports every fault of a policy with its place', async () => {
    mkdirSync(join(directory, 'folder'));
    execFileSync('mkfifo', [join(directory, 'fifo')]);
    write('long', 'x'.repeat(64 * 1024 + 1));
    write('garbage', 'x');
    writeFileSync(join(directory, 'binary'), Buffer.from([0xff, 0xfe]));
    symlinkSync('nowhere', join(directory, 'dangling'));
    const keys = ['gone', 'folder', 'fifo', 'long', 'garbage', 'binary', 'dangling'];
    const error = await errorOf(
      requiring({
        keys,
        attestation: { predicateType: 'a:b', conditions: ['predicat == 1'] },
      }),
    );
    const at = 'images[0].require[0]';
    expect(error.message).toBe(
      [
        `Cannot use the image policy policy.yaml: ${at}.keys[0]: cannot use "gone": there is no such file`,
        `${at}.keys[1]: cannot use "folder": it is a directory`,
        `${at}.keys[2]: cannot use "fifo": it is no regular file`,
        `${at}.keys[3]: cannot use "long": it has more than 65536 bytes`,
        `${at}.keys[4]: cannot use "garbage": it is no public key in PEM that begins with -----BEGIN PUBLIC KEY-----`,
        `${at}.keys[5]: cannot use "binary": it is no text`,
        `${at}.keys[6]: cannot use "dangling": there is no such file`,
        `${at}.attestation.conditions[0]: cannot use this condition: it knows no variable "predicat"`,
      ].join('; '),
    );
    expect(error.remedy).toContain('a3s-box policy check policy.yaml');
  });

  it('never repeats the contents of a private key', async () => {
    const secret = generateKeyPairSync('ed25519')
      .privateKey.export({ type: 'pkcs8', format: 'pem' })
      .toString();
    write('a.key', secret);
    for (const keys of [['a.key'], [secret]]) {
      const { message } = await errorOf(requiring({ keys }));
      expect(message).toContain('images[0].require[0].keys[0]: ');
      expect(message).toContain('it has a private key');
      expect(message).not.toContain(secret.slice(30, 60));
    }
  });

  it('refuses a policy that names too many files', async () => {
    const images = Array.from({ length: 17 }, (_, rule) => ({
      pattern: `a.example/${rule}`,
      require: [{ keys: Array.from({ length: 64 }, (_, at) => `${rule}-${at}`) }],
    }));
    const { message } = await errorOf({ images });
    expect(message).toContain('there is no such file');
    expect(message).toContain('; and 1078 more');
  });

  it.each<[string, string, string]>([
    ['no YAML', 'images: [', 'Cannot use the image policy policy.yaml: line 1, column'],
    ['nothing', '', 'nothing is said here'],
    ['another document', 'measurements: []', 'this is no such policy'],
    ['too many bytes', `# ${'x'.repeat(256 * 1024)}`, 'the text has more than 262144 bytes'],
  ])('refuses an image policy with %s', async (_, text, message) => {
    expect((await errorOf(text)).message).toContain(message);
  });

  it('uses the trusted root of the public sigstore instance by default', async () => {
    const root = JSON.stringify(SHIPPED_ROOT);
    write('root.json', root);
    const roots = { a: { file: 'root.json' }, b: { inline: root } };
    for (const trustedRoot of ['public', 'a', 'b']) {
      const { trustMaterial } = await requirementOf(
        requiring({ keys: [publicKey()], trustedRoot }, { trustedRoots: roots }),
      );
      const material = await trustMaterial();
      expect(material.certificateAuthorities).toHaveLength(2);
      expect(material.tlogs).toHaveLength(2);
    }
  });

  it.each<[string, unknown, string]>([
    ['no JSON', 'x', 'it is not JSON'],
    ['no sigstore document', '{}', 'its mediaType is not that of one'],
    ['a list', '[]', 'its mediaType is not that of one'],
    ['null', 'null', 'its mediaType is not that of one'],
    [
      'no authority',
      { mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1' },
      'it has no authority at all',
    ],
    ['a garbled key', damaged('tlogs'), 'whose key or certificate cannot be read'],
    ['a garbled certificate', damaged('certificateAuthorities'), 'whose key or certificate'],
    [
      'no certificates',
      Object.assign(structuredClone(Object(SHIPPED_ROOT)), {
        certificateAuthorities: [{ certChain: { certificates: [] } }],
      }),
      'it has an authority without a certificate',
    ],
  ])('refuses a trusted root with %s, and names it', async (_, root, reason) => {
    const inline = typeof root === 'string' ? root : JSON.stringify(root);
    const { message } = await errorOf(
      requiring({ keys: [publicKey()] }, { trustedRoots: { own: { inline } } }),
    );
    expect(message).toContain('trustedRoots.own: ');
    expect(message).toContain(reason);
  });

  it('loads the shipped image policies', async () => {
    for (const name of ['image-policy.yaml', 'image-policy-strict.yaml']) {
      const url = new URL(`../../../policies/defaults/${name}`, import.meta.url);
      const { rules } = await load(readFileSync(url, 'utf8'));
      expect(rules.at(-1)?.pattern).toBe('**');
    }
  });
});

function damaged(authorities: 'tlogs' | 'certificateAuthorities'): unknown {
  const text = JSON.stringify(SHIPPED_ROOT);
  const [before = '', after = ''] = text.split(`"${authorities}"`);
  return JSON.parse(`${before}"${authorities}"${after.replace('"rawBytes":"M', '"rawBytes":"A')}`);
}
