/**
 * From an attestation result to its claims.
 *
 * @module
 */
import {
  arePolicies,
  EAR_NONCE_SIZE,
  isNonce,
  isPeriod,
  isText,
  isTier,
  isTime,
  MAX_POLICIES,
} from './bounds.ts';
import type { Label, Tree, TreeMap } from './claim-value.ts';
import type { Ear, EarSubmod } from './ear.ts';
import type { Form } from './encoding.ts';
import { type Labels, profileOf } from './profiles.ts';
import { isVectorValue, tierUnder, VECTOR_CLAIMS, worstTier } from './tiers.ts';
import { isUndated } from './undated.ts';

/** @throws RangeError for a result that no EAR may be */
export function writeClaims(ear: Ear, form: Form): TreeMap {
  const { uri, policies, overall } = profileOf(ear.profile);
  const labels = form.labels(ear.profile);
  const { nonce, rawEvidence, expiresAt } = ear;
  const [first, ...others] = ear.submods;
  require(first !== undefined, 'it must have a submodule');
  const issued = seconds(ear.issuedAt);
  const ends = expiresAt === undefined ? undefined : seconds(expiresAt);
  require(isPeriod(issued, issued, ends), 'it must expire after its issue');
  const { min, max } = EAR_NONCE_SIZE;
  require(nonce === undefined || isNonce(nonce), `its nonce must be of ${min} to ${max} bytes`);
  require(rawEvidence === undefined || rawEvidence.length > 0, 'its evidence must not be empty');
  const { developer, build } = ear.verifier;
  require(isText(developer) && isText(build), 'its verifier must be text');
  const submods = [first, ...others].map(([name, submod]): [Label, Tree] => {
    require(isText(name), 'the names of its submodules must be text');
    require(isTier(submod.status), `the status of ${JSON.stringify(name)} must be a tier`);
    require(tierUnder(submod.status, submod.vector) ===
      submod.status, `the status of ${JSON.stringify(name)} must not be better than its vector`);
    require(nonce === undefined ||
      !isUndated(submod), `no check of REPORT_DATA dates ${JSON.stringify(name)}, so no nonce may`);
    return [name, writeSubmod(submod, form, labels, policies)];
  });
  const worst = worstTier([first[1].status, ...others.map(([, { status }]) => status)]);
  return new Map<Label, Tree>([
    [labels.profile, uri],
    ...(overall ? [[labels.status, form.tier(worst)] as const] : []),
    [labels.issuedAt, issued],
    ...(ends === undefined ? [] : [[labels.expiresAt, ends] as const]),
    [
      labels.verifier,
      new Map<Label, Tree>([
        [form.developer, developer],
        [form.build, build],
      ]),
    ],
    ...(nonce === undefined ? [] : [[labels.nonce, form.nonce(nonce)] as const]),
    ...(rawEvidence === undefined ? [] : [[labels.rawEvidence, form.bytes(rawEvidence)] as const]),
    [labels.submods, new Map(submods)],
  ]);
}

function writeSubmod(
  { status, vector, policyIds = [], key }: EarSubmod,
  form: Form,
  labels: Labels,
  policies: 'one' | 'list',
): TreeMap {
  const [policyId, ...more] = policyIds;
  require(policies === 'list' || more.length === 0, 'this profile names one policy');
  require(policyIds.length === 0 ||
    arePolicies(policyIds), `its policies must be at most ${MAX_POLICIES} texts, none empty`);
  require(key === undefined || key.length > 0, 'its key must not be empty');
  for (const claim of Object.keys(vector)) {
    require(VECTOR_CLAIMS.some((known) => known === claim), `${claim} is no claim of AR4SI`);
  }
  const values = VECTOR_CLAIMS.flatMap((claim, index): [Label, Tree][] => {
    const value = vector[claim];
    if (value === undefined) return [];
    require(isVectorValue(value), `${claim} must be an integer from -128 to 127`);
    return [[form.vectorLabel(index), value]];
  });
  const policy = policies === 'list' ? [...policyIds] : policyId;
  return new Map<Label, Tree>([
    [labels.status, form.tier(status)],
    ...(values.length === 0 ? [] : [[labels.vector, new Map(values)] as const]),
    ...(policyId === undefined ? [] : [[labels.policyIds, policy] as [Label, Tree]]),
    ...(key === undefined ? [] : [[labels.key, new Map([['akpub', form.bytes(key)]])] as const]),
  ]);
}

function seconds(time: Date): number {
  const value = Math.floor(time.getTime() / 1000);
  require(isTime(value), 'its times must be of the years 1970 to 9999');
  return value;
}

function require(holds: boolean, what: string): asserts holds {
  if (!holds) throw new RangeError(`Cannot issue the attestation result: ${what}.`);
}
