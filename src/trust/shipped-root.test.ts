import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect, it } from 'vitest';
import { SHIPPED_ROOT } from './shipped-root.ts';
import { publicRoot } from './trusted-roots.ts';

it('is the root that the TUF client of sigstore begins with', () => {
  const seeds = createRequire(import.meta.url).resolve('@sigstore/tuf/package.json');
  const text = readFileSync(seeds.replace('package.json', 'seeds.json'), 'utf8');
  const { targets } = JSON.parse(text)['https://tuf-repo-cdn.sigstore.dev'];
  const root = Buffer.from(targets['trusted_root.json'], 'base64').toString();
  expect(SHIPPED_ROOT).toEqual(JSON.parse(root));
});

it('has all that verification needs', () => {
  const { certificateAuthorities, timestampAuthorities, tlogs, ctlogs } = publicRoot();
  expect(certificateAuthorities).toHaveLength(2);
  expect(timestampAuthorities).toHaveLength(1);
  expect(tlogs).toHaveLength(2);
  expect(ctlogs).toHaveLength(2);
});
