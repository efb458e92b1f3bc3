import { parseVek } from '../../../../attestation/src/certificates/vek.ts';
import { refusing } from '../refusing.ts';

export const fuzz = refusing(parseVek);
