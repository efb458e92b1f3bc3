/**
 * Evidence that verifies, held against policies that take it or do not.
 *
 * @module
 */
import { toHex } from '../../attestation/src/hex.ts';
import { measureOvmf } from '../../attestation/src/measure/measure.ts';
import type { EvidenceVector } from './format.ts';
import { type EvidenceOptions, evidenceOf, LAUNCH, processor, REPORT_DATA } from './processor.ts';

type Codes = NonNullable<EvidenceVector['expected']['appraise']>;
type Policy = Readonly<Record<string, unknown>>;

/** What differs from evidence that the policy takes. */
interface Case {
  readonly name: string;
  readonly comment: string;
  readonly evidence?: EvidenceOptions;
  /** Over {@link POLICY}. */
  readonly policy?: Policy;
  readonly appraise: Codes;
  /** `reportData` null: the relying party expects none. */
  readonly over?: Partial<Pick<EvidenceVector, 'crl' | 'crlObtainedAt' | 'reportData'>>;
}

const MEASUREMENT = measureOvmf(LAUNCH.inputs).digest;

/** Takes the guest of the vectors. */
const POLICY: Policy = {
  tee: 'simulated',
  measurements: [MEASUREMENT],
  hostData: toHex(LAUNCH.hostData),
};

const CASES: readonly Case[] = [
  { name: 'milan', comment: 'A good Milan.', appraise: 'accepted' },
  {
    name: 'debug',
    comment: 'The host may debug the guest.',
    evidence: { misbehave: ['debug'] },
    appraise: ['debug'],
  },
];

export function appraisalVectors(): EvidenceVector[] {
  const crl = processor().crl();
  return CASES.map(({ name, comment, evidence, policy, appraise, over }) => ({
    name,
    comment,
    evidence: evidenceOf(evidence),
    crl,
    policy: { ...POLICY, ...policy },
    reportData: REPORT_DATA,
    ...over,
    expected: { verify: 'accepted', appraise },
  }));
}
