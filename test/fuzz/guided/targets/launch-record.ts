import { parseLaunchRecord } from '../../../../attestation/src/measure/launch-record.ts';
import { jsonOr } from '../json.ts';
import { refusingText } from '../refusing.ts';

export const fuzz = refusingText((text) => parseLaunchRecord(jsonOr(text)));
