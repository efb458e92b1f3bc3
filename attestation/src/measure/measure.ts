/**
 * The launch digest of an OVMF guest.
 *
 * @module
 */
import { toHex } from '../hex.ts';
import { type LaunchInputs, resolveLaunch } from './inputs.ts';
import { measureLaunch } from './launch.ts';

/** What the secure processor measures of a launch. */
export interface LaunchMeasurement {
  /** What MEASUREMENT of a report must be: 96 hexadecimal digits, lower-case. */
  readonly digest: string;
  /** The digest over the image's pages alone, as hexadecimal. */
  readonly ovmfHash: string;
}

/**
 * Computes what the secure processor measures at a launch.
 *
 * Equal to what hardware signed for QEMU with `kernel-hashes=on`, and to the field's reference tool
 * for EC2 and GCE.
 *
 * @throws AttestationError `ovmf-malformed`, `ovmf-no-kernel-hashes`, `measure-input`
 */
export function measureOvmf(inputs: LaunchInputs): LaunchMeasurement {
  const launch = resolveLaunch(inputs);
  return { digest: toHex(measureLaunch(launch)), ovmfHash: toHex(launch.ovmf.hash) };
}
