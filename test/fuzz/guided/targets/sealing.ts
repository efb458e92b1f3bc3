import { parseEnvelope } from '../../../../sealing/src/envelope.ts';
import { refusing } from '../refusing.ts';

export const fuzz = refusing(parseEnvelope);
