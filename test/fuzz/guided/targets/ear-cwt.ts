import { openCose } from '../../../../attestation/src/ear/cose.ts';
import { CBOR_FORM } from '../../../../attestation/src/ear/encoding.ts';
import { EAR_PROFILES } from '../../../../attestation/src/ear/profiles.ts';
import { readClaims } from '../../../../attestation/src/ear/read-claims.ts';
import { claimsOfCbor } from '../../../../attestation/src/ear/verify-ear.ts';
import { refusing } from '../refusing.ts';

export const fuzz = refusing((bytes) => {
  const { payload } = openCose(bytes);
  readClaims(claimsOfCbor(payload), CBOR_FORM, EAR_PROFILES);
});
