/**
 * Vectors of sigstore's evidence: bundles in a registry's format, and the decision about the image.
 *
 * @module
 */

import { PROVENANCE } from '../../src/trust/testing/artifacts.ts';
import { decideVector, type SigstoreVector } from '../../src/trust/testing/sigstore-vector.ts';
import { BUNDLES } from './sigstore/bundles.ts';
import { CHECKPOINTS } from './sigstore/checkpoints.ts';
import { ENTRIES } from './sigstore/entries.ts';
import { makeAuthorities } from './sigstore/make-authorities.ts';
import { REKOR_V2 } from './sigstore/rekor-v2.ts';
import { ROOTS } from './sigstore/roots.ts';
import { IMAGE, identity, layersOf } from './sigstore/signing.ts';

export async function sigstoreVectors(): Promise<readonly SigstoreVector[]> {
  const all = await makeAuthorities();
  const vectors: SigstoreVector[] = [];
  for (const [name, expected, comment, make] of [
    ...BUNDLES,
    ...ENTRIES,
    ...CHECKPOINTS,
    ...REKOR_V2,
    ...ROOTS,
  ]) {
    const made = await make(all);
    const { parts, require = { identities: [identity()] } } = made;
    const attestation = { predicateType: PROVENANCE };
    vectors.push({
      ...{ name, comment, image: IMAGE },
      layers: layersOf(made).map(({ mediaType, content }) => ({
        mediaType,
        content: content.toString('base64'),
      })),
      trustedRoot: { ...(made.root?.(all.root()) ?? all.root()) },
      require: { ...require, ...(parts.enveloped ? { attestation } : {}) },
      expected,
    });
  }
  return vectors;
}

/** What is wrong with a vector, in a line each. */
export async function checkSigstore(vector: SigstoreVector): Promise<string[]> {
  const found = await decideVector(vector);
  const { name, expected } = vector;
  return found === expected ? [] : [`sigstore/${name}: expected ${expected}, found ${found}`];
}
