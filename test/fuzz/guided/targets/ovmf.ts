import { parseOvmf } from '../../../../attestation/src/measure/ovmf/ovmf.ts';
import { refusing } from '../refusing.ts';

export const fuzz = refusing(parseOvmf);
