import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { SHIPPED_ROOT } from './shipped-root.ts';
import { publicRoot, readTrustedRoot } from './trusted-roots.ts';

it('ships the trusted root that the TUF client of sigstore starts from', () => {
  const seeds = createRequire(import.meta.url).resolve('@sigstore/tuf/package.json');
  const text = readFileSync(seeds.replace('package.json', 'seeds.json'), 'utf8');
  const { targets } = JSON.parse(text)['https://tuf-repo-cdn.sigstore.dev'];
  const root = Buffer.from(targets['trusted_root.json'], 'base64').toString();
  expect(SHIPPED_ROOT).toEqual(JSON.parse(root));
});

it('ships every authority and log that verification needs', () => {
  const { certificateAuthorities, timestampAuthorities, tlogs, ctlogs } = publicRoot();
  expect(certificateAuthorities).toHaveLength(2);
  expect(timestampAuthorities).toHaveLength(1);
  expect(tlogs).toHaveLength(2);
  expect(ctlogs).toHaveLength(2);
});

it(
  'refuses a changed shipped root with a reason, or reads it',
  () => {
    const text = JSON.stringify(SHIPPED_ROOT);
    const at = fc.nat({ max: text.length - 1 });
    fuzz(
      fc.property(at, fc.nat({ max: 400 }), fc.json({ maxDepth: 2 }), (from, length, json) => {
        try {
          readTrustedRoot(text.slice(0, from) + json + text.slice(from + length));
        } catch (error) {
          expect(Object(error).message).toMatch(/^it (is|has) /);
        }
      }),
    );
  },
  FUZZ_TIMEOUT,
);
