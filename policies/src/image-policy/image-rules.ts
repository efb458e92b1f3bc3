/**
 * The contents of an image policy.
 *
 * @module
 */

/**
 * Rules in their order: the first whose pattern matches decides, and where none does the image is
 * refused.
 */
export interface ImagePolicy {
  /** By name, beside `public`, which is the root of sigstore's public instance. */
  readonly trustedRoots: Readonly<Record<string, TrustedRootSource>>;
  readonly images: readonly ImageRule[];
}

/**
 * Certificate authorities, transparency logs and timestamp authorities: sigstore's
 * `trusted_root.json`.
 */
export type TrustedRootSource =
  /** A file, relative to the policy's. */
  | { readonly file: string }
  /** The document itself, as JSON text. */
  | { readonly inline: string }
  /** URL of a TUF mirror; `root` is the file of the first `root.json` that is trusted. */
  | { readonly tuf: string; readonly root: string };

interface RulePattern {
  /** Of the canonical repository. */
  readonly pattern: string;
}

/** Every entry must hold. */
export interface RequireRule extends RulePattern {
  readonly require: readonly ImageRequirement[];
}

/** Refuses these images, with the reason, where one is given. */
export interface DenyRule extends RulePattern {
  readonly deny: true | string;
}

export interface AllowUnsignedRule extends RulePattern {
  readonly allowUnsigned: true;
  /** Also allows confidential boxes, whose images must otherwise be signed. [absent] */
  readonly allowUnsignedConfidential?: true | undefined;
}

export type ImageRule = RequireRule | DenyRule | AllowUnsignedRule;

/** Who must have signed, and what. Defaults are in brackets. */
export interface ImageRequirement {
  /** PEM text, or a file relative to the policy's. [none] */
  readonly keys: readonly string[];
  /** [none] */
  readonly identities: readonly ImageIdentity[];
  /** How many distinct of those keys and identities must have signed. [1] */
  readonly threshold: number;
  /** Annotations that the signature must have, compared exactly. [none] */
  readonly annotations: Readonly<Record<string, string>>;
  /** Attestations are required instead of signatures. [absent] */
  readonly attestation?: ImageAttestation | undefined;
  /** Whether an entry in a transparency log has to prove when it was signed. [required] */
  readonly transparencyLog: 'required' | 'none';
  /** Of {@link ImagePolicy.trustedRoots}. [public] */
  readonly trustedRoot: string;
  /** Whether the name in the signed payload has to be that of the image. [ignore] */
  readonly dockerReference: 'ignore' | 'repository' | 'exact';
}

/** Of a certificate, whose subject is given exactly or by a pattern of all of it. */
export type ImageIdentity =
  | { readonly issuer: string; readonly subject: string }
  | { readonly issuer: string; readonly subjectPattern: string };

export interface ImageAttestation {
  readonly predicateType: string;
  /** In CEL; each must hold. [none] */
  readonly conditions: readonly string[];
}
