import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DerError } from '../der/error.ts';
import { decodePem } from '../envelopes/encodings/pem.ts';
import { toHex } from '../hex.ts';
import {
  encodeAuthorityKeyId,
  encodeDistributionPoint,
  encodeSubjectKeyId,
  INTERMEDIATE_PROFILE,
  ROOT_PROFILE,
  takeAuthorityKeyId,
  takeDistributionPoint,
  takeProfile,
  takeSubjectKeyId,
} from './authority-extensions.ts';
import { ExtensionId, ExtensionSet } from './extensions.ts';
import { hexBytes } from './hex-bytes.ts';
import { readCertificate } from './x509-structures.ts';

const VECTORS = new URL('../../../test/vectors/amd/', import.meta.url);
const URL_OF_LIST = 'https://kdsintf.amd.com/vcek/v1/Milan/crl';

/** Values of AMD's own extensions, by identifier. */
function valuesOf(file: string): ReadonlyMap<string, string> {
  const [der = new Uint8Array()] = decodePem(readFileSync(new URL(file, VECTORS)), 'CERTIFICATE');
  const { extensions } = readCertificate(der, 4096);
  return new Map(extensions.map(({ id, value }) => [id, toHex(value)]));
}

function setOf(id: string, value: Uint8Array, critical = false): ExtensionSet {
  return new ExtensionSet([{ id, critical, value }]);
}

describe('extensions of authorities', () => {
  it('encodes the extensions of a root as the Milan ARK has them', () => {
    const values = valuesOf('milan_ark.pem');
    expect(values.get(ExtensionId.BASIC_CONSTRAINTS)).toBe(toHex(ROOT_PROFILE.basicConstraints));
    expect(values.get(ExtensionId.KEY_USAGE)).toBe(toHex(ROOT_PROFILE.keyUsage));
    const keyId = hexBytes('85ac1ad143f7c8ac55d4c51d4148abd5784ad453');
    expect(values.get(ExtensionId.SUBJECT_KEY_IDENTIFIER)).toBe(toHex(encodeSubjectKeyId(keyId)));
    const point = toHex(encodeDistributionPoint(URL_OF_LIST));
    expect(values.get(ExtensionId.CRL_DISTRIBUTION_POINTS)).toBe(point);
    expect(values.size).toBe(4);
  });

  it('encodes the extensions of an intermediate as the Milan ASVK has them', () => {
    const values = valuesOf('milan_asvk.pem');
    const { basicConstraints, keyUsage } = INTERMEDIATE_PROFILE;
    expect(values.get(ExtensionId.BASIC_CONSTRAINTS)).toBe(toHex(basicConstraints));
    expect(values.get(ExtensionId.KEY_USAGE)).toBe(toHex(keyUsage));
    const keyId = hexBytes('85ac1ad143f7c8ac55d4c51d4148abd5784ad453');
    const authority = toHex(encodeAuthorityKeyId(keyId));
    expect(values.get(ExtensionId.AUTHORITY_KEY_IDENTIFIER)).toBe(authority);
    expect(values.size).toBe(5);
  });

  it('reads the key identifiers and the distribution point of an authority back from their encoding', () => {
    const keyId = '00'.repeat(20);
    const { SUBJECT_KEY_IDENTIFIER, AUTHORITY_KEY_IDENTIFIER, CRL_DISTRIBUTION_POINTS } =
      ExtensionId;
    const subject = setOf(SUBJECT_KEY_IDENTIFIER, encodeSubjectKeyId(hexBytes(keyId)));
    expect(takeSubjectKeyId(subject)).toBe(keyId);
    const authority = setOf(AUTHORITY_KEY_IDENTIFIER, encodeAuthorityKeyId(hexBytes(keyId)));
    expect(takeAuthorityKeyId(authority)).toBe(keyId);
    const point = setOf(CRL_DISTRIBUTION_POINTS, encodeDistributionPoint(URL_OF_LIST));
    expect(takeDistributionPoint(point)).toBe(URL_OF_LIST);
    expect(takeDistributionPoint(point)).toBeNull();
  });

  it('takes no key usage of an authority that differs in any octet', () => {
    const profile = (keyUsage: Uint8Array) =>
      new ExtensionSet([
        {
          id: ExtensionId.BASIC_CONSTRAINTS,
          critical: true,
          value: ROOT_PROFILE.basicConstraints,
        },
        { id: ExtensionId.KEY_USAGE, critical: true, value: keyUsage },
      ]);
    takeProfile(profile(ROOT_PROFILE.keyUsage), ROOT_PROFILE);
    const other = () => takeProfile(profile(INTERMEDIATE_PROFILE.keyUsage), ROOT_PROFILE);
    expect(other).toThrow(DerError);
    expect(other).toThrow('expected extension 2.5.29.15 03020106, found 03020104');
  });
});
