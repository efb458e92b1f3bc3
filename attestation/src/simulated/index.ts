/**
 * A secure processor without hardware, for development and tests: launches are measured, reports
 * signed and keys derived as on an SEV-SNP host, by a chain of this installation's own. Nothing is
 * protected by it, and no verifier takes its evidence for real.
 *
 * @module
 */
export { appraiseSimulated } from './appraise-simulated.ts';
export { createSimulatedState } from './authorities.ts';
export type { DerivedKeyRequest } from './derived-key.ts';
export { GUEST_FIELDS, ROOT_KEYS } from './derived-key.ts';
export type { ReportVersion } from './firmware.ts';
export type { SimulatedGuest } from './guest.ts';
export type { SimulatedGuestState } from './guest-state.ts';
export type { LaunchIdentity } from './id-block.ts';
export type { SimulatedLaunch } from './launch.ts';
export { MISBEHAVIOURS, type Misbehaviour } from './misbehaviour.ts';
export { SIMULATED_MODELS, type SimulatedModel, type SimulatedModelName } from './models.ts';
export { openSimulatedProcessor } from './open.ts';
export { type SimulatedProcessorOptions, SimulatedSecureProcessor } from './processor.ts';
export type { ReportRequest, ReportResponse } from './report.ts';
export { parseSimulatedRoots, SimulatedRoots, simulatedRootsOf } from './roots.ts';
export type { SimulatedReport } from './simulated-report.ts';
export type { SimulatedState } from './state.ts';
export type { VekKind } from './vek.ts';
export { verifySimulated } from './verify-simulated.ts';
