/**
 * One unverified signature, in one shape for all formats.
 *
 * @module
 */
import type { TransparencyLogEntry } from '@sigstore/bundle';
import type { Digest } from '../../oci/digest.ts';
import type { Finding } from '../decision.ts';
import type { SimpleSigning } from './simple-signing.ts';
import type { Statement } from './statement.ts';

/** The statement of a signature, if it holds. */
export type Claim =
  | { readonly kind: 'simple-signing'; readonly payload: SimpleSigning }
  | { readonly kind: 'statement'; readonly statement: Statement };

export interface Evidence {
  /** Digest of the manifest that it came in. */
  readonly artifact: Digest;
  /** The subject that it is attached to, and that it has to be for. */
  readonly subject: Digest;
  readonly format: Finding['format'];
  readonly claim: Claim;
  /** What the signature is over, byte for byte. */
  readonly signed: Buffer;
  /** Entries of a transparency log have the hash of this, or of what is signed, by their kind. */
  readonly payload: Buffer;
  readonly signature: Buffer;
  /** What timestamps are over. */
  readonly timestamped: Buffer;
  /**
   * The DSSE envelope as it lies in the registry; entries of kind `intoto` 0.0.1 have the hash of
   * it.
   */
  readonly envelope: Buffer | undefined;
  /** The signer's certificate in DER. */
  readonly certificate: Buffer | undefined;
  readonly logEntries: readonly TransparencyLogEntry[];
  /** RFC 3161 responses in DER. */
  readonly timestamps: readonly Buffer[];
}

/** Where a signature was found; findings quote it. */
export type Place = Pick<Evidence, 'artifact' | 'subject'>;

/** The predicate by which cosign's bundles say that they are signatures, and not attestations. */
const SIGNATURE_PREDICATE = 'https://sigstore.dev/cosign/sign/v1';

export function isAttestation({ claim }: Evidence): boolean {
  return claim.kind === 'statement' && claim.statement.predicateType !== SIGNATURE_PREDICATE;
}
