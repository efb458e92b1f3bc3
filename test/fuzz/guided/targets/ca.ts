import { parseCa } from '../../../../attestation/src/certificates/ca.ts';
import { refusing } from '../refusing.ts';

export const fuzz = refusing(parseCa);
