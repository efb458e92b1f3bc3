import { parseSimulatedRoots } from '../../../../attestation/src/simulated/verifier/roots.ts';
import { refusing } from '../refusing.ts';

export const fuzz = refusing(parseSimulatedRoots);
