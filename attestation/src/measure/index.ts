/**
 * Computes, explains and signs the launch digests of guests.
 *
 * Takes bytes and digests, reads no files. Node.js only.
 *
 * @module
 */
export {
  type Artefact,
  type ExplainedInput,
  type ExplainOptions,
  type Explanation,
  explain,
  type InputName,
  type TriedVariants,
} from './explain/explain.ts';
export { encodeIdAuth, ID_AUTH_SIZE, type IdAuth, parseIdAuth } from './id-block/id-auth.ts';
export { encodeIdBlock, ID_BLOCK_SIZE, type IdBlock, parseIdBlock } from './id-block/id-block.ts';
export { encodeIdKey, ID_KEY_SIZE, idKeyDigest, parseIdKey } from './id-block/id-key.ts';
export {
  type IdBlockRequest,
  type SignedIdBlock,
  signIdBlock,
  type VerifiedIdBlock,
  verifyIdBlock,
} from './id-block/id-sign.ts';
export {
  kernelHashes,
  type LaunchInputs,
  MAX_VCPUS,
  type MeasuredFile,
  type OvmfInput,
} from './inputs.ts';
export { vulnerableLaunch } from './known-vulnerable.ts';
export { type KrunInputs, type KrunMeasurement, measureKrun } from './krun.ts';
export {
  type BlankPageType,
  DIGEST_SIZE,
  LaunchDigest,
  PAGE_SIZE,
  PAGE_TYPE,
} from './launch-digest.ts';
export {
  type LaunchRecord,
  launchRecordOf,
  measureRecord,
  parseLaunchRecord,
  recordInputs,
} from './launch-record.ts';
export { type LaunchMeasurement, measureOvmf } from './measure.ts';
export {
  cmdlineHash,
  KERNEL_HASH_TABLE_SIZE,
  type KernelHashes,
  kernelHashesPage,
  kernelHashTable,
} from './ovmf/kernel-hashes.ts';
export { measuredOvmf, type OvmfImage, ovmfHash, parseOvmf } from './ovmf/ovmf.ts';
export {
  type MeasuredOvmf,
  type OvmfMetadata,
  type OvmfSection,
  type SectionType,
  supportsKernelHashes,
} from './ovmf/ovmf-metadata.ts';
export { isVcpuType, VCPU_SIGNATURES, VCPU_TYPES, type VcpuType } from './vcpu-types.ts';
export { type FpuState, VMMS, type Vmm, vmsaProfile } from './vmm.ts';
export { RESET_VECTOR, type VmsaProfile, type VmsaState, vmsaPage } from './vmsa.ts';
