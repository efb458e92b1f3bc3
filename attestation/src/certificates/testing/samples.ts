/**
 * Certificates in AMD's profile with a dummy signature, for tests of the readers.
 *
 * @module
 */
import {
  assemble,
  buildCaTbs,
  buildCertificateTbs,
  buildCrlTbs,
  buildVekTbs,
  type CaFields,
  type CrlFields,
  type VekFields,
} from '../build.ts';
import type { Extension } from '../extensions.ts';
import { hexBytes } from '../hex-bytes.ts';
import { ecSubjectPublicKeyInfo, rsaSubjectPublicKeyInfo } from '../keys.ts';
import type { NameFields } from '../name.ts';

/** The base point of P-384 (FIPS 186-4, D.1.2.4). */
export const POINT = hexBytes(
  '04' +
    'aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7' +
    '3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f',
);
export const MODULUS = Uint8Array.from({ length: 512 }, (_, index) => 0xff - (index % 251));
export const SIGNATURE = Uint8Array.from({ length: 512 }, (_, index) => index % 256);
export const KEY_ID = '85ac1ad143f7c8ac55d4c51d4148abd5784ad453';
export const OTHER_KEY_ID = '3bc66e182ac3fd3d6264489be3b7472cb4fcbff8';

/** A name as AMD's are. */
export function amd(commonName: string): NameFields {
  return {
    organization: [
      { type: 'OU', value: 'Engineering' },
      { type: 'C', value: 'US' },
      { type: 'L', value: 'Santa Clara' },
      { type: 'ST', value: 'CA' },
      { type: 'O', value: 'Advanced Micro Devices' },
    ],
    commonName,
  };
}

export const VCEK: VekFields = {
  issuer: amd('SEV-Milan'),
  subject: amd('SEV-VCEK'),
  serial: '00',
  notBefore: Date.parse('2026-01-02T03:04:05Z'),
  notAfter: Date.parse('2033-01-02T03:04:05Z'),
  productName: 'Milan-B0',
  structVersion: 0,
  tcb: { bl: 4, tee: 0, snp: 24, ucode: 219 },
  hwid: '0123456789abcdef'.repeat(8),
  cspId: null,
  publicKey: { point: POINT },
};

export const VLEK: VekFields = {
  ...VCEK,
  issuer: amd('SEV-VLEK-Milan'),
  subject: amd('SEV-VLEK'),
  productName: 'Milan',
  hwid: null,
  cspId: 'CN=cc-us-east-2.amazonaws.com',
};

export const TURIN_VCEK: VekFields = {
  ...VCEK,
  issuer: amd('SEV-Turin'),
  productName: 'Turin',
  structVersion: 1,
  tcb: { fmc: 1, bl: 1, tee: 1, snp: 4, ucode: 81 },
  hwid: '3b42092f69c656d3',
};

export const TURIN_VLEK: VekFields = {
  ...TURIN_VCEK,
  issuer: amd('SEV-VLEK-Turin'),
  subject: amd('SEV-VLEK'),
  hwid: null,
  cspId: 'CN=cloud.example',
};

export const ARK: CaFields = {
  issuer: amd('ARK-Milan'),
  subject: amd('ARK-Milan'),
  serial: '010000',
  notBefore: Date.parse('2020-10-22T17:23:05Z'),
  notAfter: Date.parse('2050-10-22T17:23:05Z'),
  publicKey: { modulus: MODULUS },
  subjectKeyId: KEY_ID,
  authorityKeyId: null,
  crlDistributionPoint: 'https://kdsintf.amd.com/vcek/v1/Milan/crl',
  trailerField: true,
};

export const ASK: CaFields = {
  ...ARK,
  subject: amd('SEV-Milan'),
  serial: '010001',
  subjectKeyId: OTHER_KEY_ID,
  authorityKeyId: KEY_ID,
};

export const CRL: CrlFields = {
  issuer: amd('ARK-Genoa'),
  number: 4n,
  thisUpdate: Date.parse('2024-10-23T04:36:24Z'),
  nextUpdate: Date.parse('2025-11-03T01:00:00Z'),
  revoked: new Map([['020001', Date.parse('2022-10-31T12:00:00Z')]]),
  authorityKeyId: KEY_ID,
};

export function vek(fields: VekFields): Uint8Array {
  return assemble(buildVekTbs(fields), SIGNATURE, fields.trailerField);
}

export function ca(fields: CaFields): Uint8Array {
  return assemble(buildCaTbs(fields), SIGNATURE, fields.trailerField);
}

export function crl(fields: CrlFields): Uint8Array {
  return assemble(buildCrlTbs(fields), SIGNATURE, fields.trailerField);
}

/** An endorsement key's certificate with those extensions in place of its own. */
export function vekWith(fields: VekFields, extensions: readonly Extension[]): Uint8Array {
  const spki = ecSubjectPublicKeyInfo(fields.publicKey);
  return assemble(buildCertificateTbs(fields, spki, extensions), SIGNATURE, fields.trailerField);
}

/** An authority's certificate with those extensions in place of its own. */
export function caWith(fields: CaFields, extensions: readonly Extension[]): Uint8Array {
  const spki = rsaSubjectPublicKeyInfo(fields.publicKey);
  return assemble(buildCertificateTbs(fields, spki, extensions), SIGNATURE, fields.trailerField);
}
