/**
 * The base of appraisal vectors: evidence and a policy, each with its differences.
 *
 * @module
 */
import { toHex } from '../../../attestation/src/hex.ts';
import { measureOvmf } from '../../../attestation/src/measure/measure.ts';
import { SIMULATED_CSP_ID } from '../../../attestation/src/simulated/authorities/names.ts';
import type { Misbehaviour } from '../../../attestation/src/simulated/processor/misbehaviour.ts';
import type { EvidenceVector } from '../format.ts';
import { type EvidenceOptions, LAUNCH } from '../processor.ts';

type Codes = NonNullable<EvidenceVector['expected']['appraise']>;
export type Policy = Readonly<Record<string, unknown>>;

/** What differs from evidence that the policy takes. */
export interface Case {
  readonly name: string;
  readonly comment: string;
  readonly evidence?: EvidenceOptions;
  /** Over {@link POLICY}. */
  readonly policy?: Policy;
  readonly appraise: Codes;
  /** `reportData` null: the relying party expects none. */
  readonly over?: Partial<
    Pick<EvidenceVector, 'crl' | 'crlObtainedAt' | 'reportData' | 'specDigest'>
  >;
}

export const MEASUREMENT = measureOvmf(LAUNCH.inputs).digest;

/** Takes the guest of the vectors. */
export const POLICY: Policy = {
  tee: 'simulated',
  measurements: [MEASUREMENT],
  hostData: toHex(LAUNCH.hostData),
};

export const bad = (...misbehave: Misbehaviour[]): EvidenceOptions => ({ misbehave });
export const allowing = (policy: bigint): EvidenceOptions => ({ launch: { policy } });
export const vlek = (...misbehave: Misbehaviour[]): EvidenceOptions => ({
  misbehave,
  request: { signingKey: 'VLEK' },
});
export const VLEK_POLICY = { signingKeys: ['VLEK'], cspIds: [SIMULATED_CSP_ID] };

/** Without a revocation list. */
export const NO_CRL = { crl: undefined, crlObtainedAt: undefined };

/** A case in a line. */
export function one(
  name: string,
  appraise: Codes,
  comment: string,
  evidence: EvidenceOptions = {},
  policy: Policy = {},
  over: Case['over'] = {},
): Case {
  return { name, comment, evidence, policy, appraise, over };
}
