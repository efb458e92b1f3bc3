/**
 * From claims to an attestation result. Claims that EAR does not know are ignored, as it demands.
 *
 * @module
 */
import { AttestationError } from '../errors.ts';
import {
  arePolicies,
  EAR_NONCE_SIZE,
  isNonce,
  isPeriod,
  isText,
  isTime,
  MAX_POLICIES,
} from './bounds.ts';
import { isTreeMap, type Tree, type TreeMap } from './claim-value.ts';
import type { Ear, EarSubmod } from './ear.ts';
import type { Form } from './encoding.ts';
import { malformed } from './malformed.ts';
import { EAR_PROFILES, type EarProfile, type Labels, profileOf } from './profiles.ts';
import { ReadOnlyMap } from './read-only-map.ts';
import {
  type EarTier,
  type EarVector,
  isVectorValue,
  tierUnder,
  VECTOR_CLAIMS,
  worstTier,
} from './tiers.ts';

/** What a token says, before anything of it is believed. */
export interface ReadEar extends Ear {
  /** The worst of the result's own status, and of each submodule's status and claims. */
  readonly status: EarTier;
  /** `nbf`. */
  readonly notBefore?: Date;
}

/**
 * The result that some claims are.
 *
 * @throws AttestationError `ear-profile` for a profile that is not one of those allowed,
 *   `ear-malformed` for anything else that no EAR has
 */
export function readClaims(claims: TreeMap, form: Form, allowed: readonly EarProfile[]): ReadEar {
  const profile = readProfile(claims, form, allowed);
  const labels = form.labels(profile);
  const expiresAt = readTime(claims, labels, 'expiresAt');
  const notBefore = readTime(claims, labels, 'notBefore');
  const issuedAt = readTime(claims, labels, 'issuedAt');
  if (issuedAt === undefined) throw malformed('iat', 'there');
  if (!isPeriod(Number(issuedAt), notBefore && Number(notBefore), expiresAt && Number(expiresAt))) {
    throw malformed('exp', 'after iat and nbf');
  }
  const nonce = claims.has(labels.nonce) ? readNonce(claims.get(labels.nonce), form) : undefined;
  const raw = claims.get(labels.rawEvidence);
  const submods = readSubmods(claims.get(labels.submods), form, profile);
  const own = claims.get(labels.status);
  const [first, ...others] = [...submods.values()].map(({ status, vector }) =>
    tierUnder(status, vector),
  );
  if (first === undefined) throw malformed('submods', 'a map of one entry or more');
  const worst = worstTier([first, ...others]);
  return Object.freeze({
    profile,
    status: own === undefined ? worst : worstTier([worst, readTier(own, form, 'ear.status')]),
    issuedAt,
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(notBefore === undefined ? {} : { notBefore }),
    verifier: readVerifier(claims.get(labels.verifier), form),
    ...(nonce === undefined ? {} : { nonce }),
    ...(raw === undefined ? {} : { rawEvidence: readBytes(raw, form, 'ear.raw-evidence') }),
    submods,
  });
}

function readProfile(claims: TreeMap, form: Form, allowed: readonly EarProfile[]): EarProfile {
  const label = form.labels('veraison').profile;
  const uri = claims.get(label);
  const profile = EAR_PROFILES.find((name) => profileOf(name).uri === uri);
  if (profile !== undefined && allowed.includes(profile)) return profile;
  const expected = allowed.map((name) => profileOf(name).uri).join(' or ');
  const found = typeof uri === 'string' ? JSON.stringify(uri.slice(0, 128)) : 'no such text';
  throw new AttestationError('ear-profile', `eat_profile must be ${expected}, not ${found}`, {
    expected,
    found,
  });
}

function readTime(
  claims: TreeMap,
  labels: Labels,
  name: 'issuedAt' | 'expiresAt' | 'notBefore',
): Date | undefined {
  const value = claims.get(labels[name]);
  if (value === undefined) return undefined;
  if (isTime(value)) return new Date(value * 1000);
  throw malformed(`${labels[name]} (${name})`, 'an integer of seconds since 1970');
}

function readNonce(tree: Tree | undefined, form: Form): Uint8Array {
  const nonce = form.nonceOf(tree);
  if (nonce !== undefined && isNonce(nonce)) return nonce;
  const { min, max } = EAR_NONCE_SIZE;
  throw malformed('eat_nonce', `one nonce of ${min} to ${max} bytes`);
}

function readVerifier(tree: Tree | undefined, form: Form): Ear['verifier'] {
  const developer = isTreeMap(tree) ? tree.get(form.developer) : undefined;
  const build = isTreeMap(tree) ? tree.get(form.build) : undefined;
  if (!isText(developer) || !isText(build)) {
    throw malformed('ear.verifier-id', 'a map with developer and build, as text');
  }
  return Object.freeze({ developer, build });
}

function readSubmods(
  tree: Tree | undefined,
  form: Form,
  profile: EarProfile,
): ReadonlyMap<string, EarSubmod> {
  if (!isTreeMap(tree)) throw malformed('submods', 'a map of one entry or more');
  return new ReadOnlyMap(
    [...tree].map(([name, submod]) => {
      if (!isText(name)) throw malformed('submods', 'a map whose keys are text');
      const where = `submods[${JSON.stringify(name.slice(0, 64))}]`;
      return [name, readSubmod(submod, form, profile, where)] as const;
    }),
  );
}

function readSubmod(tree: Tree, form: Form, profile: EarProfile, where: string): EarSubmod {
  // A nested token, as EAT allows, is no appraisal of this verifier.
  if (!isTreeMap(tree)) throw malformed(where, 'a map of claims');
  const labels = form.labels(profile);
  const policies = tree.get(labels.policyIds);
  const key = tree.get(labels.key);
  return Object.freeze({
    status: readTier(tree.get(labels.status), form, `${where} ear.status`),
    vector: readVector(tree.get(labels.vector), form, `${where} ear.trustworthiness-vector`),
    ...(policies === undefined ? {} : { policyIds: readPolicies(policies, profile, where) }),
    ...(key === undefined ? {} : { key: readKey(key, form, `${where} key attestation`) }),
  });
}

function readTier(tree: Tree | undefined, form: Form, where: string): EarTier {
  const tier = form.tierOf(tree);
  if (tier === undefined) throw malformed(where, 'one of the four tiers');
  return tier;
}

function readVector(tree: Tree | undefined, form: Form, where: string): EarVector {
  if (tree === undefined) return Object.freeze({});
  if (!isTreeMap(tree)) throw malformed(where, 'a map');
  const labels = VECTOR_CLAIMS.map((_, index) => form.vectorLabel(index));
  for (const label of tree.keys()) {
    if (!labels.includes(label)) throw malformed(where, 'a map of the claims of AR4SI alone');
  }
  return Object.freeze(
    Object.fromEntries(
      VECTOR_CLAIMS.flatMap((claim, index) => {
        const value = tree.get(form.vectorLabel(index));
        if (value === undefined) return [];
        if (!isVectorValue(value)) throw malformed(`${where} ${claim}`, 'from -128 to 127');
        return [[claim, value]];
      }),
    ),
  );
}

function readPolicies(tree: Tree, profile: EarProfile, where: string): readonly string[] {
  const listed = profileOf(profile).policies === 'list';
  const ids = listed && Array.isArray(tree) ? tree : [tree];
  if (listed !== Array.isArray(tree) || !arePolicies(ids)) {
    const expected = listed
      ? `a list of 1 to ${MAX_POLICIES} texts, none empty`
      : 'text, not empty';
    throw malformed(`${where} appraisal policy`, expected);
  }
  return Object.freeze(ids);
}

function readKey(tree: Tree, form: Form, where: string): Uint8Array {
  return readBytes(isTreeMap(tree) ? tree.get('akpub') : undefined, form, where);
}

function readBytes(tree: Tree | undefined, form: Form, where: string): Uint8Array {
  const bytes = form.bytesOf(tree);
  if (bytes === undefined || bytes.length === 0) throw malformed(where, 'bytes, one or more');
  return bytes;
}
