import { parseCrl } from '../../../../attestation/src/certificates/crl.ts';
import { refusing } from '../refusing.ts';

export const fuzz = refusing(parseCrl);
