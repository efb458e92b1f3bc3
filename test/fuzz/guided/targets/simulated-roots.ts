import { parseSimulatedRoots } from '../../../../attestation/src/simulated/roots.ts';
import { refusing } from '../refusing.ts';

export const fuzz = refusing(parseSimulatedRoots);
