import { expect, it } from 'vitest';
import { buildProvenance } from './build-provenance.ts';

const BASE = {
  ...{ Name: 'base.example/app:1', Manifest: `sha256:${'a'.repeat(64)}` },
  ...{ Verdict: 'signed', Reason: 'rule 1', Policy: 'sha256:p' },
};
const built = { Kind: 'build' as const, Reference: 'app:1', At: '2030-01-01T00:00:00Z' };

it('names the images of the last build, and what was decided on each', () => {
  const pulled = { ...built, Kind: 'pull' as const, Bases: [] };
  const provenance = buildProvenance({ Origins: [pulled, { ...built, Bases: [BASE] }] });
  expect(provenance).toMatchObject({
    buildDefinition: {
      resolvedDependencies: [
        {
          uri: 'docker://base.example/app:1',
          digest: { sha256: 'a'.repeat(64) },
          annotations: { verdict: 'signed', reason: 'rule 1', policy: 'sha256:p' },
        },
      ],
    },
    runDetails: { metadata: { finishedOn: built.At } },
  });
});
