/**
 * A secure processor without hardware, for development and tests: launches are measured, reports
 * signed and keys derived as on an SEV-SNP host, by a chain of this installation's own. Nothing is
 * protected by it, and no verifier takes its evidence for real.
 *
 * @module
 */

export type { VekKind } from './authorities/certify-vek.ts';
export { createSimulatedState } from './authorities/make-authorities.ts';
export { openSimulatedProcessor } from './open.ts';
export type { DerivedKeyRequest } from './processor/derived-key.ts';
export { GUEST_FIELDS, ROOT_KEYS } from './processor/derived-key.ts';
export type { ReportVersion } from './processor/firmware.ts';
export type { SimulatedGuest } from './processor/guest.ts';
export type { SimulatedGuestState } from './processor/guest-state.ts';
export type { LaunchIdentity } from './processor/identify.ts';
export type { SimulatedLaunch } from './processor/launch-guest.ts';
export type { ReportRequest, ReportResponse } from './processor/make-report.ts';
export { MISBEHAVIOURS, type Misbehaviour } from './processor/misbehaviour.ts';
export {
  SIMULATED_MODELS,
  type SimulatedModel,
  type SimulatedModelName,
} from './processor/models.ts';
export { type SimulatedProcessorOptions, SimulatedSecureProcessor } from './processor/processor.ts';
export type { SimulatedState } from './state.ts';
export { appraiseSimulated } from './verifier/appraise-simulated.ts';
export { simulatedEarSubmod } from './verifier/ear-submod.ts';
export { parseSimulatedRoots, SimulatedRoots, simulatedRootsOf } from './verifier/roots.ts';
export type { SimulatedReport } from './verifier/simulated-report.ts';
export { verifySimulated } from './verifier/verify-simulated.ts';
