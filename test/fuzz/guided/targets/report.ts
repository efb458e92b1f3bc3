import { parseReport } from '../../../../attestation/src/report/parse.ts';
import { refusing } from '../refusing.ts';

export const fuzz = refusing(parseReport);
