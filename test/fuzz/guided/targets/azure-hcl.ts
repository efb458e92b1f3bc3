import { evidenceFromAzureHcl } from '../../../../attestation/src/envelopes/azure-hcl.ts';
import { refusing } from '../refusing.ts';

export const fuzz = refusing(evidenceFromAzureHcl);
