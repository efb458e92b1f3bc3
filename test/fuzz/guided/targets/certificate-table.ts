import { parseCertificateTable } from '../../../../attestation/src/envelopes/certificate-table.ts';
import { refusing } from '../refusing.ts';

export const fuzz = refusing(parseCertificateTable);
