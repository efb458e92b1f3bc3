import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Transcript, transcript } from '../../testing/fake-context.ts';

let cwd: string;

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'a3s-policy-'));
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  mkdirSync(join(cwd, 'etc'));
  writeFileSync(join(cwd, 'etc/a.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
});

afterEach(() => rmSync(cwd, { recursive: true }));

const check = (text: string, ...flags: readonly string[]): Promise<Transcript> => {
  writeFileSync(join(cwd, 'etc/policy.yaml'), text);
  return transcript('/nonexistent', ['policy', 'check', 'etc/policy.yaml', ...flags], { cwd });
};

const TEAM = `
images:
  - pattern: "registry.example:5000/team/**"
    require:
      - keys: [a.pub]
        transparencyLog: none
  - pattern: "docker.io/library/*"
    allowUnsigned: true
`;

describe('policy check of an image policy', () => {
  it('explains each rule, and what holds for other images', async () => {
    const done = await check(TEAM);
    expect(done).toMatchObject({ status: 0, stderr: '' });
    expect(done.stdout.replaceAll(/[0-9a-f]{12,64}/g, 'HEX')).toBe(
      [
        'The first rule that matches decides:',
        '1. registry.example:5000/team/**',
        '   Boots if',
        '   - it is signed by the key a.pub (SHA-256 HEX…)',
        '     and no transparency log is asked.',
        '2. docker.io/library/*',
        '   Boots, signed or not: nothing is verified. Confidential boxes are refused.',
        '',
        'An image that no rule matches is refused.',
        '',
        'The policy is valid. Its digest is sha256:HEX.',
        '',
      ].join('\n'),
    );
  });

  it('explains every kind of requirement', async () => {
    const issuer = 'https://issuer.example';
    const document = {
      images: [
        { pattern: 'a.example/**', deny: true },
        { pattern: 'b.example/**', deny: 'withdrawn' },
        {
          pattern: '**',
          require: [
            {
              keys: ['a.pub'],
              identities: [
                { issuer, subject: 'ci@team.example' },
                { issuer, subjectPattern: '*@team.example' },
                { issuer, subjectPattern: '**' },
              ],
              threshold: 2,
              annotations: { env: 'production', tier: '1' },
              dockerReference: 'exact',
            },
            {
              identities: [{ issuer, subject: 'ci@team.example' }],
              attestation: {
                predicateType: 'https://slsa.dev/provenance/v1',
                conditions: ['size(predicate.x)\n > 3'],
              },
              transparencyLog: 'none',
            },
          ],
        },
      ],
    };
    const { stdout } = await check(JSON.stringify(document));
    expect(stdout.split('\n').slice(1, -3)).toEqual([
      '1. a.example/**',
      '   Never boots.',
      '2. b.example/**',
      '   Never boots: withdrawn.',
      '3. **',
      '   Boots if all of these hold:',
      '   - it is signed by at least 2 different ones of',
      expect.stringMatching(/^ {7}the key a\.pub \(SHA-256 [0-9a-f]{12}…\)$/),
      '       ci@team.example, certified by https://issuer.example',
      '       any identity like *@team.example certified by https://issuer.example',
      '       any identity certified by https://issuer.example',
      '     and the signature says env=production, tier=1',
      '     and the signature names the image with its tag',
      '     and a transparency log of the trusted root "public" has it on record.',
      '   - it has an attestation of the type https://slsa.dev/provenance/v1, signed by ci@team.example, certified by https://issuer.example',
      '     and of which is true:',
      '       size(predicate.x) > 3',
      '     and no transparency log is asked: a timestamp of the trusted root "public" says when.',
    ]);
  });

  it.each([
    ['redis', 'Rule 2 (docker.io/library/*) decides for docker.io/library/redis:'],
    ['redis:7', 'Rule 2 (docker.io/library/*) decides for docker.io/library/redis:'],
    [
      'registry.example:5000/team/a/b',
      'Rule 1 (registry.example:5000/team/**) decides for registry.example:5000/team/a/b:\n   Boots if\n',
    ],
    ['team/app', 'No rule matches docker.io/team/app: its images are refused.'],
  ])('names the rule that decides for %s', async (image, text) => {
    const done = await check(TEAM, '--image', image);
    expect(done.status).toBe(0);
    expect(done.stdout).toContain(text);
  });

  it('prints the policy, its digest and the rule with --json', async () => {
    const document = JSON.parse((await check(TEAM, '--image', 'redis', '--json')).stdout);
    expect(document).toMatchObject({
      valid: true,
      kind: 'image',
      policy: { images: [{ require: [{ threshold: 1, dockerReference: 'ignore' }] }, {}] },
      repository: 'docker.io/library/redis',
      rule: 1,
    });
    expect(document.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    const other = JSON.parse((await check(TEAM, '--image', 'a.example/b', '--json')).stdout);
    expect(other.rule).toBeNull();
    expect(Object.keys(JSON.parse((await check(TEAM, '--json')).stdout))).toEqual([
      'valid',
      'kind',
      'policy',
      'digest',
      'warnings',
    ]);
  });

  it('lists every problem of an image policy', async () => {
    const done = await check('images: [{ pattern: redis, deny: true }, { patern: "**" }]');
    expect(done).toMatchObject({ status: 2, stdout: '' });
    expect(done.stderr).toContain(
      'etc/policy.yaml: images[0].pattern: expected the canonical name, docker.io/library/redis, found "redis"',
    );
    expect(done.stderr).toContain('unknown key `patern`: did you mean `pattern`?');
  });

  it('lists every problem of files and conditions that an image policy refers to', async () => {
    const text = TEAM.replace('[a.pub]', '[a.pub, gone.pub]').replace(
      'transparencyLog: none',
      'attestation: { predicateType: "a:b", conditions: [predicat.x] }',
    );
    const done = await check(text);
    expect(done).toMatchObject({ status: 2, stdout: '' });
    expect(done.stderr.split('\n').slice(0, 2)).toEqual([
      'a3s-box: etc/policy.yaml: images[0].require[0].keys[1]: cannot use "gone.pub": there is no such file (policy-invalid)',
      expect.stringContaining(
        'etc/policy.yaml: images[0].require[0].attestation.conditions[0]: cannot use this condition: it knows no variable "predicat"',
      ),
    ]);
    const document = JSON.parse((await check(text, '--json')).stdout);
    expect(document).toMatchObject({ valid: false, code: 'policy-invalid' });
    expect(document.problems).toHaveLength(2);
  });

  it('accepts --image only with one valid name and an image policy', async () => {
    const bad = await check(TEAM, '--image', 'A B');
    expect(bad).toMatchObject({ status: 2, stdout: '' });
    expect(bad.stderr).toContain('--image: Cannot use "A B" as the name of an image');
    const other = await check('measurements: []', '--image', 'redis');
    expect(other).toMatchObject({ status: 2, stdout: '' });
    expect(other.stderr).toContain('--image is about image policies, and etc/policy.yaml is none');
  });

  it('accepts the image policies that are shipped', async () => {
    for (const name of ['image-policy', 'image-policy-strict']) {
      const url = new URL(`../../../../policies/defaults/${name}.yaml`, import.meta.url);
      expect(await check(readFileSync(url, 'utf8'))).toMatchObject({ status: 0, stderr: '' });
    }
  });
});
