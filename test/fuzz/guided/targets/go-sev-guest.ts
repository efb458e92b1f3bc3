import { evidenceFromGoSevGuestJson } from '../../../../attestation/src/envelopes/go-sev-guest.ts';
import { refusingText } from '../refusing.ts';

export const fuzz = refusingText(evidenceFromGoSevGuestJson);
