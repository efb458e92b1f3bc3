import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseImagePolicy } from '@a3s-box/policies/image-policy';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Transcript, transcript } from '../../testing/fake-context.ts';
import { identityWarnings } from './identity-warnings.ts';

const ISSUER = 'https://issuer.example';
const SUBJECT = 'ci@team.example';
const AT = 'images[0].require[0].identities[0]';

const policyWith = (...identities: readonly object[]) => ({
  images: [{ pattern: '**', require: [{ identities }] }],
});

describe('an identity', () => {
  it.each<[string, object, string, string]>([
    ['a space in its issuer', { issuer: `${ISSUER} `, subject: SUBJECT }, 'issuer', 'a space'],
    ['a tab in its subject', { issuer: ISSUER, subject: 'ci team' }, 'subject', 'a space'],
    ['a space first', { issuer: ISSUER, subject: ` ${SUBJECT}` }, 'subject', 'a space'],
    [
      'a star in its issuer',
      { issuer: 'https://*.example', subject: SUBJECT },
      'issuer',
      'an issuer is compared exactly',
    ],
    [
      'a star in its subject',
      { issuer: ISSUER, subject: '*@team.example' },
      'subject',
      'use subjectPattern',
    ],
    [
      'an expression for an issuer',
      { issuer: '^https://issuer', subject: SUBJECT },
      'issuer',
      'no regular expressions',
    ],
    [
      'an expression for a subject',
      { issuer: ISSUER, subject: 'ci@team\\.example' },
      'subject',
      'no regular expressions',
    ],
    [
      'an expression for a pattern',
      { issuer: ISSUER, subjectPattern: '^a.*$' },
      'subjectPattern',
      'no regular expressions',
    ],
    [
      'an anchor at the end of a pattern',
      { issuer: ISSUER, subjectPattern: '*@team.example$' },
      'subjectPattern',
      'no regular expressions',
    ],
  ])('warns about an identity with %s', (_, identity, key, reason) => {
    const warnings = identityWarnings(parseImagePolicy(policyWith(identity)));
    const value = JSON.stringify(Reflect.get(identity, key));
    expect(warnings).toEqual([
      {
        path: `${AT}.${key}`,
        message: expect.stringContaining(`${value} can never match: `),
      },
    ]);
    expect(warnings[0]?.message).toContain(reason);
  });

  it.each<[string, object]>([
    ['an address', { issuer: ISSUER, subject: SUBJECT }],
    ['a user at a domain', { issuer: ISSUER, subject: 'Jane Roe!team.example' }],
    ['a pattern', { issuer: ISSUER, subjectPattern: '*@team.example' }],
    ['anybody', { issuer: ISSUER, subjectPattern: '**' }],
    [
      'a workflow',
      {
        issuer: 'https://token.actions.githubusercontent.com',
        subjectPattern: 'https://github.com/company/*/.github/workflows/*.yml@refs/tags/v1.$x^',
      },
    ],
  ])('does not warn about an identity that is %s', (_, identity) => {
    expect(identityWarnings(parseImagePolicy(policyWith(identity)))).toEqual([]);
  });

  it('reports each fault of an identity with its place', () => {
    const { images } = policyWith({ issuer: ISSUER, subject: SUBJECT });
    const bad = { issuer: '^https://* $', subject: 'a b' };
    const second = { keys: ['a.pub'], identities: [{ issuer: ISSUER, subject: SUBJECT }, bad] };
    const policy = {
      images: [
        { pattern: 'a.example/*', deny: true },
        { pattern: 'b.example/*', require: [...(images[0]?.require ?? []), second] },
        { pattern: '**', allowUnsigned: true },
      ],
    };
    const at = 'images[1].require[1].identities[1]';
    expect(identityWarnings(parseImagePolicy(policy)).map(({ path }) => path)).toEqual([
      ...[`${at}.issuer`, `${at}.issuer`, `${at}.issuer`],
      `${at}.subject`,
    ]);
  });
});

describe('policy check', () => {
  let cwd: string;
  beforeEach(() => {
    cwd = mkdtempSync(join(tmpdir(), 'a3s-policy-'));
  });
  afterEach(() => rmSync(cwd, { recursive: true }));

  const check = (identity: object, ...flags: readonly string[]): Promise<Transcript> => {
    writeFileSync(join(cwd, 'policy.yaml'), JSON.stringify(policyWith(identity)));
    return transcript('/nonexistent', ['policy', 'check', 'policy.yaml', ...flags], { cwd });
  };

  it('warns about identities that can never match, and accepts the policy', async () => {
    const done = await check({ issuer: 'https://*.example', subjectPattern: '^a.*$' });
    expect(done.status).toBe(0);
    expect(done.stdout).toContain('The policy is valid.');
    expect(done.stderr.split('\n')).toEqual([
      `WARNING: policy.yaml: ${AT}.issuer: "https://*.example" can never match: an issuer is compared exactly, and "*" stands for itself`,
      `WARNING: policy.yaml: ${AT}.subjectPattern: "^a.*$" can never match: there are no regular expressions, and "^", "$" and "\\" stand for themselves`,
      '',
    ]);
  });

  it('prints warnings with their places with --json', async () => {
    const done = await check({ issuer: ISSUER, subject: 'ci team' }, '--json');
    expect(done).toMatchObject({ status: 0, stderr: '' });
    expect(JSON.parse(done.stdout)).toMatchObject({
      valid: true,
      warnings: [
        {
          path: `${AT}.subject`,
          message: '"ci team" can never match: it has a space, which no certificate has there',
        },
      ],
    });
    const good = await check({ issuer: ISSUER, subject: SUBJECT }, '--json');
    expect(JSON.parse(good.stdout)).toMatchObject({ valid: true, warnings: [] });
  });
});
