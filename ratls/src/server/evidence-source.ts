/**
 * The source of a server's evidence.
 *
 * @module
 */
import type { Tee } from '../certificate/evidence-extension.ts';

/** Who the guest is. */
export interface OwnIdentity {
  readonly tee: Tee;
  /** 16 bytes. */
  readonly instance: Uint8Array;
  /** 32 bytes. */
  readonly specDigest: Uint8Array;
}

/** A fresh report, and the values that it covers. */
export interface OwnEvidence extends OwnIdentity {
  readonly report: Uint8Array;
  /** The certificate table; undefined where the processor gave none. */
  readonly certificates?: Uint8Array | undefined;
  /** Text of the launch spec. */
  readonly spec: Uint8Array;
}

/** `agentEvidence` is one; there is a new report for every call. */
export interface EvidenceSource {
  identity(): Promise<OwnIdentity>;
  /** @param data 64 bytes that the report is to be bound to */
  evidence(data: Uint8Array): Promise<OwnEvidence>;
}
