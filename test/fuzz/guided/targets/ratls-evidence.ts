import { decodeClaims } from '../../../../ratls/src/certificate/claims.ts';
import { decodeEvidence } from '../../../../ratls/src/certificate/evidence-extension.ts';
import { refusing } from '../refusing.ts';

/** The signature of a certificate keeps a fuzzer from what is in it. */
export const fuzz = refusing((value) => decodeClaims(decodeEvidence(value).claims));
