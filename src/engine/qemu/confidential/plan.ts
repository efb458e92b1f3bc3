/**
 * The plan of a confidential launch, and the check that refuses specs which cannot be launched
 * measured.
 *
 * @module
 */
import { A3sError } from '../../../errors.ts';
import type { ConfidentialLaunch } from '../../vm/confidential-launch.ts';
import type { Accelerator, VmSpec } from '../../vm/vm-spec.ts';
import { roomForDisks } from './device-places.ts';

/** A spec whose VM is launched measured. */
export type ConfidentialSpec = VmSpec & { readonly confidential: ConfidentialLaunch };

/** What a command line is made from. */
export interface ConfidentialPlan {
  readonly spec: ConfidentialSpec;
  readonly accelerator: Accelerator;
}

const HOST_DATA_BYTES = 32;

/**
 * Refuses what is not measured, or would give the host access: a start other than a boot, files of
 * the host inside the guest, and images with a backing chain.
 *
 * @throws A3sError `unsupported-option`, `invalid-argument`, `tee-unavailable`
 */
export function checkPlan({ spec, accelerator }: ConfidentialPlan): void {
  const { confidential, disks, sparePorts = 0 } = spec;
  if (spec.template !== undefined || spec.fork !== undefined) {
    refuse('unsupported-option', 'it boots by itself, never from a template or a snapshot');
  }
  if (spec.shares.length > 0) {
    refuse('unsupported-option', 'directories of the host cannot be shared with it');
  }
  if (disks.some(({ backing = [] }) => backing.length > 0)) {
    refuse('unsupported-option', 'its disks cannot be layers over other images');
  }
  const room = roomForDisks(sparePorts);
  if (disks.length > room) {
    refuse('invalid-argument', `it takes at most ${room} disks, not ${disks.length}`);
  }
  if (confidential.hostData.length !== HOST_DATA_BYTES) {
    refuse('invalid-argument', `HOST_DATA has ${HOST_DATA_BYTES} bytes`);
  }
  if (confidential.tee === 'snp' && accelerator !== 'kvm') {
    refuse('tee-unavailable', 'SEV-SNP needs KVM, which does not work here');
  }
}

function refuse(
  code: 'unsupported-option' | 'invalid-argument' | 'tee-unavailable',
  why: string,
): never {
  const remedy = code === 'tee-unavailable' ? 'a3s-box info says what is missing.' : undefined;
  throw new A3sError(code, `Cannot start a confidential microVM: ${why}`, { remedy });
}
