/**
 * Attestation results for guests: EAR, signed by the broker, over a nonce of the party that is to
 * believe it, which needs no evidence, no policy and no certificates of AMD, and trusts the broker.
 *
 * @module
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import {
  type Ear,
  type EarSubmod,
  earSubmod,
  type SignEarOptions,
  signEarCwt,
  signEarJwt,
} from '@a3s-box/attestation/ear';
import { simulatedEarSubmod } from '@a3s-box/attestation/simulated';
import * as z from 'zod';
import { A3sError } from '../../errors.ts';
import { narrow } from '../../narrow.ts';
import type { ReleasePolicy } from '../record/documents.ts';
import type { Proof } from '../release/decide.ts';
import { appraiseEvidence, type VerifiedEvidence } from '../release/evidence.ts';

/** As long as a session, in which the evidence came. */
export const RESULT_MS = 300_000;
const NONCE = { min: 8, max: 64 };
const VERIFIER = { developer: 'https://a3s.dev/box', build: 'a3s-box-broker' };

/** The name of the guest in the result, by its processor. */
const SUBMODS: Readonly<Record<VerifiedEvidence['tee'], string>> = {
  snp: 'sev-snp',
  'a3s-simulated': 'simulated',
};

const resultRequest = z.strictObject({
  /** In base64, with padding. */
  nonce: z.base64().max(88),
  format: z._default(z.enum(['jwt', 'cwt']), 'jwt'),
});

export interface ResultRequest {
  readonly nonce: Buffer;
  readonly format: 'jwt' | 'cwt';
}

/** @throws A3sError `kbs-request` */
export function parseResultRequest(input: unknown): ResultRequest {
  const { data } = narrow(resultRequest, input);
  const nonce = Buffer.from(data?.nonce ?? '', 'base64');
  const isOne = nonce.toString('base64') === data?.nonce;
  if (data !== undefined && isOne && nonce.length >= NONCE.min && nonce.length <= NONCE.max) {
    return { nonce, format: data.format };
  }
  throw new A3sError(
    'kbs-request',
    `A nonce has ${NONCE.min} to ${NONCE.max} bytes, in base64, and a result is a jwt or a cwt`,
  );
}

/** The policy that accepted the guest, and its name: `TENANT/NAME`. */
export interface AcceptingPolicy {
  readonly id: string;
  readonly policy: ReleasePolicy;
}

export class Results {
  readonly #privateKey: Buffer;
  readonly #keyId: string;

  /** @param key Ed25519 */
  constructor(key: KeyObject) {
    this.#privateKey = key.export({ type: 'pkcs8', format: 'der' });
    const { x = '' } = createPublicKey(key).export({ format: 'jwk' });
    this.#keyId = x;
  }

  /**
   * It says what evidence of this session was appraised to, by that policy. A CWT is in base64.
   */
  async issue(
    proof: Proof,
    accepting: AcceptingPolicy,
    { nonce, format }: ResultRequest,
    now: Date,
  ): Promise<string> {
    const ear: Ear = {
      profile: 'ietf-03',
      issuedAt: now,
      expiresAt: new Date(now.getTime() + RESULT_MS),
      verifier: VERIFIER,
      nonce,
      submods: new Map([[SUBMODS[proof.evidence.tee], submodOf(proof, accepting)]]),
    };
    const options: SignEarOptions = {
      key: { algorithm: 'EdDSA', privateKey: this.#privateKey },
      keyId: this.#keyId,
    };
    if (format === 'jwt') return signEarJwt(ear, options);
    return Buffer.from(await signEarCwt(ear, options)).toString('base64');
  }
}

function submodOf({ evidence, reportData }: Proof, { id, policy }: AcceptingPolicy): EarSubmod {
  const appraisal = appraiseEvidence(evidence, policy.attestation, reportData);
  const details = { policyIds: [id] };
  return evidence.tee === 'snp'
    ? earSubmod(evidence.report, appraisal, details)
    : simulatedEarSubmod(evidence.report, appraisal, details);
}
