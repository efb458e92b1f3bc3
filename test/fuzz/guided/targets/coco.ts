import { evidenceFromCocoJson } from '../../../../attestation/src/envelopes/coco.ts';
import { refusingText } from '../refusing.ts';

export const fuzz = refusingText(evidenceFromCocoJson);
