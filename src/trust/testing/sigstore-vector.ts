/**
 * A test vector of `test/vectors/sigstore`, decided as the server decides: by an image policy that
 * is read, with the vector's trusted root in it.
 *
 * @module
 */
import * as z from 'zod';
import { isDigest } from '../../oci/digest.ts';
import { decideTrust } from '../decide.ts';
import { InvalidImagePolicy } from '../policy/invalid-image-policy.ts';
import { loadPolicy } from '../policy/load-policy.ts';
import { attachmentOf } from './artifacts.ts';
import { NOW, questionOf } from './policies.ts';

const SigstoreVector = z.strictObject({
  name: z.string(),
  comment: z.string(),
  /** Digest of the image's manifest, to which the artifact is attached. */
  image: z.string().refine(isDigest),
  /** Of the artifact; contents in base64. */
  layers: z.array(z.strictObject({ mediaType: z.string(), content: z.base64() })),
  trustedRoot: z.record(z.string(), z.unknown()),
  /** An entry of `require` in an image policy, but for the trusted root. */
  require: z.record(z.string(), z.unknown()),
  /** `signed`, the code of the one finding, or `policy-invalid`. */
  expected: z.string(),
});
export type SigstoreVector = z.infer<typeof SigstoreVector>;

export function readSigstoreVector(text: string): SigstoreVector {
  return SigstoreVector.parse(JSON.parse(text));
}

/** What `expected` has to be. */
export async function decideVector(vector: SigstoreVector): Promise<string> {
  const document = {
    trustedRoots: { own: { inline: JSON.stringify(vector.trustedRoot) } },
    images: [{ pattern: '**', require: [{ ...vector.require, trustedRoot: 'own' }] }],
  };
  const layers = vector.layers.map(({ mediaType, content }) => ({
    mediaType,
    content: Buffer.from(content, 'base64'),
  }));
  const { image } = vector;
  if (!isDigest(image)) throw new TypeError(`${image} is no digest`);
  try {
    const policy = await loadPolicy(
      { source: 'call', path: undefined, text: JSON.stringify(document), directory: '/' },
      { tufCache: '/nonexistent' },
    );
    const question = questionOf(image, [attachmentOf(image, layers, 'referrer')]);
    const { verdict, requirements } = await decideTrust(question, policy, NOW);
    if (verdict !== 'refused') return verdict;
    const [finding, ...more] = requirements[0]?.findings ?? [];
    if (finding === undefined || more.length > 0) throw new TypeError('expected one finding');
    return finding.problem?.code ?? 'accepted';
  } catch (error) {
    if (error instanceof InvalidImagePolicy) return error.code;
    throw error;
  }
}
