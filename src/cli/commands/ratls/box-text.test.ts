import { specText } from '@a3s-box/ratls/testing';
import { expect, it } from 'vitest';
import * as library from '#ratls';
import { describeBox } from './box-text.ts';
import type { BoxVerdict, Peer } from './box-verdict.ts';

const RULES = { default: 'deny', rules: ['allow:*.example.org:tcp:443'] } as const;

it.each([
  ['none', undefined, 'no network'],
  ['nic', undefined, 'not limited'],
  ['nic', RULES, '1 rule, then deny; the host alone enforces them'],
] as const)(
  'says what egress a box with the network %s and the policy %s has',
  (network, egress, text) => {
    const spec = { ...JSON.parse(specText('shop', [])), network, egress } as Peer['spec'];
    const box = { instance: '1', specDigest: '2', measurement: '3', spec };
    const verdict = { accepted: true, checks: [], box } as unknown as BoxVerdict;
    const row = describeBox(library, verdict)
      .split('\n')
      .find((line) => line.trim().startsWith('egress'));
    expect(row?.trim().replace(/^egress\s+/, '')).toBe(text);
  },
);

function textOfPod(more: Readonly<Record<string, object>>, secrets: readonly object[]): string {
  const containers = Object.entries(more).map(([name, fields]) => ({
    ...{ name, image: { manifestDigest: `sha256:${name}` } },
    ...fields,
  }));
  const common = { deployment: '', network: 'none', hostMay: [], sealing: 'none' };
  const spec = { ...common, secrets, containers } as unknown as Peer['spec'];
  const box = { instance: '1', specDigest: '2', measurement: '3', spec };
  return describeBox(library, { accepted: true, checks: [], box } as unknown as BoxVerdict);
}

it('says the image of each container of a pod', () => {
  const text = textOfPod({ db: {}, web: {} }, []);
  expect(text).toContain('Pod\n');
  expect(text).toMatch(/container db +sha256:db\n +container web +sha256:web\n/);
});

it('says the secrets of each container of a pod where one does not get all', () => {
  const secrets = [{ name: 'pin' }, { name: 'token' }];
  expect(textOfPod({ db: {}, web: {} }, secrets)).not.toContain('for db');
  const own = { db: {}, init: { secrets: [] }, web: { secrets: ['pin', 'token'] } };
  expect(textOfPod(own, secrets)).toMatch(
    / secrets +pin, token\n +for db +all\n +for init +none\n +for web +pin, token\n/,
  );
});
