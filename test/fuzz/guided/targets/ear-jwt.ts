import { JSON_FORM } from '../../../../attestation/src/ear/encoding.ts';
import { decodeJson } from '../../../../attestation/src/ear/json.ts';
import { openJws } from '../../../../attestation/src/ear/jws.ts';
import { EAR_PROFILES } from '../../../../attestation/src/ear/profiles.ts';
import { readClaims } from '../../../../attestation/src/ear/read-claims.ts';
import { refusingText } from '../refusing.ts';

export const fuzz = refusingText((text) => {
  const { payload } = openJws(text);
  readClaims(decodeJson(payload, 'the claims'), JSON_FORM, EAR_PROFILES);
});
