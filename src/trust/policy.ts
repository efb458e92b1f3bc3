/**
 * An image policy that is ready to decide: keys read, roots loaded, conditions compiled.
 *
 * @module
 */
import type { KeyObject } from 'node:crypto';
import type { TrustMaterial } from '@sigstore/verify';
import type { Digest } from '../oci/digest.ts';
import type { EvaluationTime } from './conditions/evaluation-time.ts';

/** A key that a policy names. */
export interface PolicyKey {
  /** The policy's name for the key, or `key N` for an inline key. */
  readonly name: string;
  /** SHA-256 of its SubjectPublicKeyInfo in DER, in hexadecimal. */
  readonly keyId: string;
  readonly key: KeyObject;
}

export interface PolicyIdentity {
  readonly issuer: string;
  /**
   * The certificate's subject alternative name: exact, or matched as a whole by a pattern with
   * bounded cost.
   */
  readonly matches: (subject: string) => boolean;
  /** For messages. */
  readonly text: string;
}

export interface Requirement {
  readonly keys: readonly PolicyKey[];
  readonly identities: readonly PolicyIdentity[];
  /** Distinct signers that are needed. */
  readonly threshold: number;
  readonly annotations: Readonly<Record<string, string>>;
  /** Where it is set, attestations of this type are required instead of signatures. */
  readonly attestation:
    | {
        readonly predicateType: string;
        /** Each must hold; gives the reason where it does not. */
        readonly conditions: readonly Condition[];
      }
    | undefined;
  readonly transparencyLog: 'required' | 'none';
  readonly dockerReference: 'ignore' | 'repository' | 'exact';
  /** Certificate authorities, logs and timestamp authorities; loaded when it is first needed. */
  readonly trustMaterial: () => Promise<TrustMaterial>;
}

export interface Condition {
  /** CEL. */
  readonly text: string;
  /**
   * Undefined when it holds for the statement; otherwise the reason. It does not hold when no time
   * is left. Never throws.
   */
  readonly failure: (statement: unknown, time: EvaluationTime) => string | undefined;
}

export type Rule =
  | {
      readonly pattern: string;
      readonly action: 'require';
      readonly require: readonly Requirement[];
    }
  | { readonly pattern: string; readonly action: 'deny'; readonly reason: string | undefined }
  | {
      readonly pattern: string;
      readonly action: 'allowUnsigned';
      /** For confidential boxes too. */
      readonly confidential?: true;
    };

export interface LoadedPolicy {
  readonly source: 'built-in' | 'file' | 'call';
  readonly path: string | undefined;
  /** SHA-256 of its self-contained form. */
  readonly digest: Digest;
  readonly rules: readonly Rule[];
  /**
   * Index of the first rule for a canonical repository (empty: an image without a name), or
   * undefined.
   */
  match(repository: string): number | undefined;
}
