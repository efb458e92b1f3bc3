import { evidenceFromExtendedReport } from '../../../../attestation/src/envelopes/extended-report.ts';
import { refusing } from '../refusing.ts';

export const fuzz = refusing(evidenceFromExtendedReport);
