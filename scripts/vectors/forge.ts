/**
 * Certificates and lists that differ from good ones in one field, and have a valid signature, so
 * that a verifier can refuse nothing but that field.
 *
 * @module
 */

import { pssAlgorithm } from '../../attestation/src/certificates/algorithms.ts';
import {
  buildCaTbs,
  buildCertificateTbs,
  buildCrlTbs,
  type CaFields,
  type CrlFields,
  type VekFields,
} from '../../attestation/src/certificates/build.ts';
import { parseCa } from '../../attestation/src/certificates/ca.ts';
import type { Extension } from '../../attestation/src/certificates/extensions.ts';
import { ecSubjectPublicKeyInfo } from '../../attestation/src/certificates/keys.ts';
import { vekExtensions } from '../../attestation/src/certificates/vek-extensions.ts';
import { DerReader } from '../../attestation/src/der/reader.ts';
import { bitString, sequence } from '../../attestation/src/der/writer.ts';
import { toHex } from '../../attestation/src/hex.ts';
import { type VekKind, vekKey } from '../../attestation/src/simulated/authorities/certify-vek.ts';
import {
  nameOf,
  SIMULATED_CRL_URLS,
  SIMULATED_CSP_ID,
  SIMULATED_SERIALS,
} from '../../attestation/src/simulated/authorities/names.ts';
import { signPss } from '../../attestation/src/simulated/authorities/pss.ts';
import {
  SIMULATED_MODELS,
  type SimulatedModelName,
} from '../../attestation/src/simulated/processor/models.ts';
import { NOW } from './format.ts';
import { CHAIN } from './processor.ts';

export const DAY = 86_400_000;
const START = Date.parse(NOW);

/** What differs of something signed. */
export interface Signing {
  /** Changes what is signed. */
  readonly tbs?: (tbs: Uint8Array) => Uint8Array;
  /** The algorithm beside the signature, encoded. */
  readonly algorithm?: Uint8Array;
  readonly signer?: 'ark' | 'ask' | 'asvk';
  /** Changes the signature. */
  readonly signature?: (signature: Uint8Array) => Uint8Array;
  /** Changes the whole. */
  readonly whole?: (der: Uint8Array) => Uint8Array;
}

/** What differs of an endorsement key's certificate. */
export interface VekForgery extends Signing {
  readonly model?: SimulatedModelName;
  readonly kind?: VekKind;
  readonly fields?: Partial<VekFields>;
  /** SubjectPublicKeyInfo, encoded. */
  readonly key?: Uint8Array;
  readonly extensions?: (extensions: readonly Extension[]) => readonly Extension[];
}

/** The certificate of the endorsement key of a model's TCB. */
export function forgeVek(forgery: VekForgery = {}): Uint8Array {
  const { model = 'Milan', kind = 'VCEK', extensions = (list) => list } = forgery;
  const fields = { ...vekFields(model, kind), ...forgery.fields };
  const key = forgery.key ?? ecSubjectPublicKeyInfo(fields.publicKey);
  const tbs = buildCertificateTbs(fields, key, extensions(vekExtensions(fields)));
  return signed(tbs, { signer: kind === 'VCEK' ? 'ask' : 'asvk', ...forgery });
}

function vekFields(name: SimulatedModelName, kind: VekKind): VekFields {
  const model = SIMULATED_MODELS[name];
  const { productName, product, structVersion, tcb } = model;
  const chip = kind === 'VCEK';
  return {
    issuer: nameOf(chip ? 'ask' : 'asvk'),
    subject: nameOf(chip ? 'vcek' : 'vlek'),
    serial: '00',
    notBefore: START - DAY,
    notAfter: START + 365 * DAY,
    productName: chip ? productName : product,
    structVersion,
    tcb,
    hwid: chip ? toHex(CHAIN.chip.id.subarray(0, model.chipIdLength)) : null,
    cspId: chip ? null : SIMULATED_CSP_ID,
    publicKey: { point: vekKey(CHAIN.chip.secret, kind, model).publicPoint },
  };
}

/** What differs of an authority's certificate. */
export interface CaForgery extends Signing {
  readonly authority?: 'ark' | 'ask' | 'asvk';
  readonly fields?: Partial<CaFields>;
}

/** The certificate of an authority, the ASK if none is named. */
export function forgeCa(forgery: CaForgery = {}): Uint8Array {
  const { authority = 'ask', fields } = forgery;
  const { publicKey, subjectKeyId } = parseCa(CHAIN[authority].certificate);
  const tbs = buildCaTbs({
    issuer: nameOf('ark'),
    subject: nameOf(authority),
    serial: SIMULATED_SERIALS[authority],
    notBefore: CHAIN.createdAt - DAY,
    notAfter: CHAIN.createdAt + 25 * 365 * DAY,
    publicKey,
    subjectKeyId,
    authorityKeyId: authority === 'ark' ? null : CHAIN.ark.subjectKeyId,
    crlDistributionPoint: SIMULATED_CRL_URLS[authority === 'asvk' ? 'vlek' : 'vcek'],
    trailerField: true,
    ...fields,
  });
  return signed(tbs, { signer: 'ark', algorithm: pssAlgorithm(true), ...forgery });
}

/** What differs of a revocation list. */
export interface CrlForgery extends Signing {
  readonly fields?: Partial<CrlFields>;
}

/** The list of a root on which nobody stands. */
export function forgeCrl({ fields, ...signing }: CrlForgery = {}): Uint8Array {
  const tbs = buildCrlTbs({
    issuer: nameOf('ark'),
    number: 100n,
    thisUpdate: START - DAY,
    nextUpdate: START + 30 * DAY,
    revoked: new Map(),
    authorityKeyId: CHAIN.ark.subjectKeyId,
    ...fields,
  });
  return signed(tbs, { signer: 'ark', ...signing });
}

function signed(unchanged: Uint8Array, signing: Signing): Uint8Array {
  const same = (bytes: Uint8Array) => bytes;
  const { tbs: change = same, signature: spoil = same, whole = same } = signing;
  const { algorithm = pssAlgorithm(false), signer = 'ask' } = signing;
  const tbs = change(unchanged);
  const signature = spoil(signPss(tbs, CHAIN[signer].privateKey));
  return whole(sequence(tbs, algorithm, bitString(signature)));
}

/** The values in a constructed one, encoded. */
export function children(der: Uint8Array): Uint8Array[] {
  const outer = new DerReader(der);
  const inner = outer.enter(outer.nextTag ?? 0);
  const values: Uint8Array[] = [];
  while (inner.nextTag !== undefined) values.push(inner.take(inner.nextTag).encoded);
  return values;
}

/** Changes one of the values in a SEQUENCE; undefined takes it away. */
export function replace(
  der: Uint8Array,
  index: number,
  change: (value: Uint8Array) => Uint8Array | undefined,
): Uint8Array {
  const values = children(der).flatMap((value, at) =>
    at === index ? (change(value) ?? []) : [value],
  );
  return sequence(...values);
}
