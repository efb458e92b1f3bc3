/**
 * A relying party's options for a session.
 *
 * @module
 */

import type { Evidence } from '@a3s-box/attestation';
import type { CompleteEvidence } from '@a3s-box/attestation/endorsements';
import type { SimulatedRoots } from '@a3s-box/attestation/simulated';
import type { SnpPolicy } from '@a3s-box/policies/attestation-policy';
import type { Endpoint } from './tls-connection.ts';

/**
 * The one box, of those that the policy accepts, that the peer has to be. Hexadecimal, as tools
 * print it.
 */
export interface ExpectedPeer {
  /** SHA-256 of the launch spec. */
  readonly specDigest?: string | undefined;
  /** 16 random bytes that the guest draws at its start. */
  readonly instance?: string | undefined;
  /** Name of the deployment in the launch spec. */
  readonly deployment?: string | undefined;
}

export interface TrustOptions {
  /** The policy that says which peers are trusted. */
  readonly policy: SnpPolicy;
  readonly expect?: ExpectedPeer | undefined;
  /**
   * Who answers: the agent of the box, or a workload in it that serves for itself. A workload
   * cannot pass for the agent. `agent` where it is not given.
   */
  readonly peer?: 'agent' | 'workload' | undefined;
  /** Simulated evidence proves nothing, so the policy and the caller both have to allow it. */
  readonly allowSimulated?: boolean | undefined;
  /**
   * The roots of the one accepted simulation; without them, any chain in the evidence is accepted.
   */
  readonly simulatedRoots?: SimulatedRoots | undefined;
  /**
   * Gets the certificate and the list that hardware evidence lacks: `Endorsements.complete`, say.
   */
  readonly complete?: ((evidence: Evidence) => Promise<CompleteEvidence>) | undefined;
  /** Revocation list, DER, and when it was got; without one, the list in the evidence. */
  readonly crl?: Uint8Array | undefined;
  readonly crlObtainedAt?: Date | undefined;
  /** The clock of the relying party; the guest's is never used. */
  readonly now?: (() => Date) | undefined;
}

export interface WaitOptions {
  /**
   * Milliseconds from the first byte to the verdict, and for each answer after it; 60 000 where it
   * is not given.
   */
  readonly timeout?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type ConnectOptions = Endpoint & TrustOptions & WaitOptions;

/** As long as an agent waits for its processor. */
export const DEFAULT_TIMEOUT = 60_000;
