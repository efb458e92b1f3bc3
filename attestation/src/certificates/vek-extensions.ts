/**
 * Extensions of endorsement key certificates, under AMD's arc 1.3.6.1.4.1.3704.1.
 *
 * @module
 */
import { DerError } from '../der/error.ts';
import { readNumber } from '../der/primitives.ts';
import { DerReader } from '../der/reader.ts';
import { Tag } from '../der/tags.ts';
import { readText } from '../der/text.ts';
import { ia5String, integer } from '../der/writer.ts';
import { toHex } from '../hex.ts';
import type { VekKind } from '../report/report-claims.ts';
import type { Tcb } from '../report/tcb.ts';
import { type Extension, ExtensionSet } from './extensions.ts';
import { hexBytes } from './hex-bytes.ts';

const ARC = '1.3.6.1.4.1.3704.1';
const STRUCT_VERSION = `${ARC}.1`;
const PRODUCT_NAME = `${ARC}.2`;
const HWID = `${ARC}.4`;
const CSP_ID = `${ARC}.5`;
const SPL = {
  bl: `${ARC}.3.1`,
  tee: `${ARC}.3.2`,
  snp: `${ARC}.3.3`,
  ucode: `${ARC}.3.8`,
  fmc: `${ARC}.3.9`,
} as const;
/** spl4 to spl7, reserved. Turin has no spl4. */
const RESERVED = {
  0: [`${ARC}.3.4`, `${ARC}.3.5`, `${ARC}.3.6`, `${ARC}.3.7`],
  1: [`${ARC}.3.5`, `${ARC}.3.6`, `${ARC}.3.7`],
} as const;
const HWID_OCTETS = { 0: 64, 1: 8 } as const;
const MAX_PRODUCT_NAME = 32;
const MAX_CSP_ID = 256;

/** The contents of an endorsement key certificate's extensions. */
export interface VekIdentity {
  /** VCEK where there is a HWID, VLEK where there is a CSP_ID. */
  readonly kind: VekKind;
  /** Such as `Milan-B0`, `Genoa`, `Turin`. */
  readonly productName: string;
  /** 1 on Turin. */
  readonly structVersion: 0 | 1;
  /** What the key stands for; with fmc where structVersion is 1. */
  readonly tcb: Tcb;
  /** 64 bytes, where structVersion is 1 then 8; null in a VLEK. */
  readonly hwid: string | null;
  /** Such as `CN=cc-us-east-2.amazonaws.com`; null in a VCEK. */
  readonly cspId: string | null;
}

/**
 * Reads them by identifier, since their order varies.
 *
 * @throws {DerError} for one that is missing, unknown, critical, there twice or encoded otherwise,
 *   for a reserved level that is not zero, and for both or none of HWID and CSP_ID.
 */
export function readVekExtensions(extensions: readonly Extension[]): VekIdentity {
  const set = new ExtensionSet(extensions);
  const structVersion = takeNumber(set, STRUCT_VERSION, 1) === 1 ? 1 : 0;
  const productName = takeText(set, PRODUCT_NAME, MAX_PRODUCT_NAME);
  const tcb = takeTcb(set, structVersion);
  for (const id of RESERVED[structVersion]) takeNumber(set, id, 0);
  const owner = takeOwner(set, structVersion);
  set.end();
  return { structVersion, productName, tcb, ...owner };
}

/**
 * Writes them in AMD's order.
 *
 * @throws {RangeError} for a value that no certificate can hold.
 */
export function vekExtensions(identity: Omit<VekIdentity, 'kind'>): readonly Extension[] {
  const { structVersion, productName, tcb, hwid, cspId } = identity;
  const level = (id: string, number: number) => extension(id, integer(number));
  return [
    level(STRUCT_VERSION, structVersion),
    extension(PRODUCT_NAME, ia5String(productName)),
    ...(structVersion === 1 ? [level(SPL.fmc, tcb.fmc ?? 0)] : []),
    level(SPL.bl, tcb.bl),
    level(SPL.tee, tcb.tee),
    ...RESERVED[structVersion].map((id) => level(id, 0)),
    level(SPL.snp, tcb.snp),
    level(SPL.ucode, tcb.ucode),
    ...(hwid === null ? [] : [extension(HWID, hexBytes(hwid))]),
    ...(cspId === null ? [] : [extension(CSP_ID, ia5String(cspId))]),
  ];
}

function takeTcb(set: ExtensionSet, structVersion: 0 | 1): Tcb {
  const level = (id: string) => takeNumber(set, id, 255);
  const tcb = {
    bl: level(SPL.bl),
    tee: level(SPL.tee),
    snp: level(SPL.snp),
    ucode: level(SPL.ucode),
  };
  return structVersion === 1 ? { fmc: level(SPL.fmc), ...tcb } : tcb;
}

function takeOwner(
  set: ExtensionSet,
  structVersion: 0 | 1,
): Pick<VekIdentity, 'kind' | 'hwid' | 'cspId'> {
  if (!set.has(HWID)) {
    return { kind: 'VLEK', hwid: null, cspId: takeText(set, CSP_ID, MAX_CSP_ID) };
  }
  // Raw octets, unlike every other extension.
  const hwid = set.take(HWID, false);
  const octets = HWID_OCTETS[structVersion];
  if (hwid.length !== octets) throw new DerError(`HWID of ${octets} octets`, `${hwid.length}`);
  return { kind: 'VCEK', hwid: toHex(hwid), cspId: null };
}

function takeNumber(set: ExtensionSet, id: string, maximum: number): number {
  const reader = new DerReader(set.take(id, false));
  const number = readNumber(reader, maximum);
  reader.end();
  return number;
}

function takeText(set: ExtensionSet, id: string, maximum: number): string {
  const reader = new DerReader(set.take(id, false));
  const text = readText(reader, Tag.IA5_STRING, maximum);
  reader.end();
  return text;
}

function extension(id: string, value: Uint8Array): Extension {
  return { id, critical: false, value };
}
