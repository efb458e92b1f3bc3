import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Transcript, transcript } from '../../testing/fake-context.ts';
import { serveFake } from '../../testing/serve-fake.ts';

const { server, socket, directory } = serveFake();

const a3s = (...args: string[]): Promise<Transcript> =>
  transcript(socket, args, { env: { DOCKER_CONFIG: directory }, cwd: directory });

const IMAGE = '/a3s/v1/images/team.example%2Fapp%3A1';
const MANIFEST = `sha256:${'1'.repeat(64)}`;
const POLICY = `sha256:${'2'.repeat(64)}`;
const KEY = 'c'.repeat(64);

const DECISION = {
  verdict: 'signed',
  at: '2026-01-01T00:00:00.000Z',
  image: {
    reference: 'team.example/app:1',
    repository: 'team.example/app',
    manifestDigest: MANIFEST,
    indexDigests: [],
  },
  policy: { source: 'file', path: '/etc/a3s-box/image-policy.yaml', digest: POLICY },
  rule: { index: 1, pattern: 'team.example/**', action: 'require' },
  requirements: [
    {
      ...{ index: 0, met: true, signers: 1, threshold: 1 },
      findings: [
        {
          ...{ artifact: `sha256:${'a'.repeat(64)}`, subject: MANIFEST, format: 'cosign' },
          accepted: true,
          signer: { kind: 'key', name: 'cosign.pub', keyId: KEY },
          ...{ logIndex: '42', signedAt: '2025-12-31T00:00:00.000Z' },
        },
        {
          ...{ artifact: `sha256:${'b'.repeat(64)}`, subject: MANIFEST, format: 'cosign' },
          accepted: false,
          problem: { code: 'signature-invalid', message: 'no key of the policy made it' },
        },
      ],
    },
  ],
  reason: 'rule 2 ("team.example/**") holds: signed by cosign.pub',
};
const REFUSED = {
  ...DECISION,
  verdict: 'refused',
  requirements: [{ index: 0, met: false, signers: 0, threshold: 1, findings: [] }],
  reason: 'rule 2 ("team.example/**"): no signature by cosign.pub; none was found',
};
const RULES = [
  { pattern: 'bad.example/**', action: 'deny', reason: 'we had to' },
  {
    pattern: 'team.example/**',
    action: 'require',
    require: [
      {
        keys: [{ name: 'cosign.pub', keyId: KEY }],
        identities: ['ci@team.example of https://issuer.example'],
        threshold: 1,
        annotations: { stage: 'prod' },
        transparencyLog: 'required',
        dockerReference: 'exact',
      },
    ],
  },
  { pattern: '**', action: 'allowUnsigned' },
];

describe('image verify', () => {
  it.each([
    ['signed', 0, 'Accepted, signed: '],
    ['unsigned', 0, 'Accepted, unsigned: '],
    ['refused', 1, 'Refused: '],
    ['something new', 1, 'something new: '],
  ])('image verify of an image that is %s exits with %d', async (verdict, status, text) => {
    server.answers.set(`GET ${IMAGE}/trust`, { json: { ...DECISION, verdict } });
    const done = await a3s('image', 'verify', 'team.example/app:1');
    expect(done).toMatchObject({ status, stderr: '' });
    expect(done.stdout).toContain(`${text}rule 2 ("team.example/**") holds: signed by`);
  });

  it('image verify shows the image and the policy that decided', async () => {
    server.answers.set(`GET ${IMAGE}/trust`, { json: DECISION });
    expect((await a3s('image', 'verify', 'team.example/app:1')).stdout).toBe(
      'Image:      team.example/app:1\n' +
        `Manifest:   ${MANIFEST}\n` +
        'Policy:     /etc/a3s-box/image-policy.yaml\n' +
        `            ${POLICY}\n` +
        '\n' +
        'Accepted, signed: rule 2 ("team.example/**") holds: signed by cosign.pub\n',
    );
  });

  it('image verify prints the decision as JSON or by a template', async () => {
    server.answers.set(`GET ${IMAGE}/trust`, { json: DECISION });
    const json = await a3s('image', 'verify', '--format', 'json', 'team.example/app:1');
    expect(JSON.parse(json.stdout)).toEqual(DECISION);
    const one = await a3s('image', 'verify', '-f', '{{.rule.pattern}}', 'team.example/app:1');
    expect(one.stdout).toBe('team.example/**\n');
  });

  it('image verify uploads a policy, and requests fresh signatures', async () => {
    writeFileSync(join(directory, 'p.yaml'), 'images: []\n');
    server.answers.set(`GET ${IMAGE}/trust`, { json: DECISION });
    const flags = ['--image-policy', 'p.yaml', '--refresh-signatures'];
    expect((await a3s('image', 'verify', ...flags, 'team.example/app:1')).status).toBe(0);
    const handed = server.called('POST /a3s/v1/image-policies');
    expect(JSON.parse(handed?.body ?? '')).toMatchObject({ text: 'images: []\n', directory });
    const asked = Object.fromEntries(server.called(`GET ${IMAGE}/trust`)?.query ?? []);
    expect(asked).toEqual({ imagePolicy: `sha256:${'b'.repeat(64)}`, refresh: '1' });
  });

  it.each([
    ['an image that is not there', ['team.example/app:1']],
    ['a policy that is not there', ['--image-policy', 'none.yaml', 'team.example/app:1']],
    ['an unknown flag', ['--nope', 'team.example/app:1']],
    ['no image', []],
  ])('image verify exits with 2 for %s', async (_, args) => {
    server.answers.set(`GET ${IMAGE}/trust`, {
      status: 404,
      json: { code: 'no-such-image', message: 'No such image: team.example/app:1' },
    });
    const done = await a3s('image', 'verify', ...args);
    expect(done).toMatchObject({ status: 2, stdout: '' });
    expect(done.stderr).toMatch(/^a3s-box: .+ \((no-such-image|invalid-argument)\)\n/);
  });
});

describe('trust explain', () => {
  const explain = async (decisions: readonly unknown[]): Promise<string> => {
    server.answers.set(`GET ${IMAGE}/trust/explanation`, { json: { decisions, rules: RULES } });
    const done = await a3s('trust', 'explain', 'team.example/app:1');
    expect(done).toMatchObject({ status: 0, stderr: '' });
    return done.stdout;
  };

  it('trust explain shows each rule, each requirement and each signature', async () => {
    const rest = ' '.repeat(14);
    expect(await explain([DECISION])).toBe(
      [
        'Image:      team.example/app:1',
        `Manifest:   ${MANIFEST}`,
        'Policy:     /etc/a3s-box/image-policy.yaml',
        `            ${POLICY}`,
        '',
        'team.example/app is checked against the rules in turn, and the first that matches decides:',
        '',
        '  - rule 1 (bad.example/**): does not match',
        '  ✓ rule 2 (team.example/**): matches, and every requirement has to be met',
        '      ✓ requirement 1: 1 of 1 signers',
        '          expected: a signature',
        '                    by key cosign.pub (SHA-256',
        `                    ${KEY})`,
        '                    or identity ci@team.example of https://issuer.example',
        '                    with annotation stage=prod',
        "                    whose docker-reference is the image's name",
        '                    on record in a transparency log',
        `          ✓ cosign sha256:${'a'.repeat(64)}`,
        `${rest}of ${MANIFEST}`,
        `${rest}signed by key cosign.pub (SHA-256`,
        `${rest}          ${KEY})`,
        `${rest}at 2025-12-31T00:00:00.000Z`,
        `${rest}entry 42 of the transparency log`,
        `          ✗ cosign sha256:${'b'.repeat(64)}`,
        `${rest}of ${MANIFEST}`,
        `${rest}signature-invalid: no key of the policy made it`,
        '  - rule 3 (**): not looked at',
        '',
        'Accepted, signed: rule 2 ("team.example/**") holds: signed by cosign.pub',
        '',
      ].join('\n'),
    );
  });

  it('trust explain reports for each repository when nothing was found', async () => {
    const bad = {
      ...REFUSED,
      image: { ...REFUSED.image, repository: 'bad.example/app' },
      rule: { index: 0, pattern: 'bad.example/**', action: 'deny' },
      reason: 'rule 1 ("bad.example/**") denies it: "we had to"',
    };
    const text = await explain([REFUSED, bad]);
    expect(text).toContain('      ✗ requirement 1: 0 of 1 signers\n');
    expect(text).toContain('          found:    nothing of the kind\n');
    expect(text).toContain('bad.example/app is checked against');
    expect(text).toContain('  ✗ rule 1 (bad.example/**): matches, and denies it: we had to\n');
  });

  it('trust explain removes control characters of a policy or a signature', async () => {
    const hostile = '\u001b[31mred\nline';
    const text = await explain([
      {
        ...DECISION,
        image: { ...DECISION.image, reference: hostile, repository: '' },
        rule: undefined,
        reason: hostile,
      },
    ]);
    expect(text).not.toContain('\u001b');
    expect(text).toContain('An image without a name is checked against');
    expect(text).toContain('  - rule 3 (**): does not match\n');
  });

  it('trust explain prints everything with --json', async () => {
    server.answers.set(`GET ${IMAGE}/trust/explanation`, {
      json: { decisions: [DECISION], rules: RULES },
    });
    const { stdout } = await a3s('trust', 'explain', '--json', 'team.example/app:1');
    expect(JSON.parse(stdout)).toEqual({ decisions: [DECISION], rules: RULES });
  });
});
