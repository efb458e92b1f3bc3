import { decodePem } from '../../../../attestation/src/envelopes/encodings/pem.ts';
import { refusing } from '../refusing.ts';

export const fuzz = refusing((bytes) => decodePem(bytes, 'CERTIFICATE'));
