/**
 * The firmware's work from SNP_LAUNCH_START to SNP_LAUNCH_FINISH: it measures a guest and accepts
 * or refuses it.
 *
 * @module
 */
import { toHex } from '../../hex.ts';
import type { LaunchInputs } from '../../measure/inputs.ts';
import { measureOvmf } from '../../measure/measure.ts';
import {
  decodeGuestPolicy,
  POLICY_MUST_BE_ONE,
  POLICY_MUST_BE_ZERO,
} from '../../report/guest-policy.ts';
import type { FirmwareVersion, GuestPolicy, PlatformInfo } from '../../report/report-claims.ts';
import { type GuestIdentity, identify, type LaunchIdentity } from './identify.ts';
import { exactBytes, refused, within } from './request.ts';

/** A guest to launch. */
export interface SimulatedLaunch {
  /** What is measured: firmware, kernel, initrd, command line, vCPUs. */
  readonly inputs: LaunchInputs;
  /** HOST_DATA, exactly 32 bytes. */
  readonly hostData: Uint8Array;
  /** POLICY; 0x30000, SMT allowed, where it is not given. */
  readonly policy?: bigint;
  /** Who may be launched, signed. */
  readonly id?: LaunchIdentity;
}

/** A guest as launched. */
export interface LaunchedGuest extends GuestIdentity {
  /** 96 hexadecimal digits. */
  readonly measurement: string;
  /** 64 hexadecimal digits. */
  readonly hostData: string;
  readonly policy: GuestPolicy;
}

/** What the firmware and the platform can give a guest. */
export interface Platform {
  readonly firmware: FirmwareVersion;
  readonly platformInfo: PlatformInfo;
}

const DEFAULT_POLICY = 0x30000n;
const U64 = 0xffff_ffff_ffff_ffffn;

/**
 * Launches a guest.
 *
 * @throws {AttestationError} `simulated-request` for a policy that the platform does not meet, and
 *   for an ID block that is not signed or not of this guest; what {@link measureOvmf} throws.
 */
export function launchGuest(launch: SimulatedLaunch, platform: Platform): LaunchedGuest {
  const policy = acceptedPolicy(launch.policy ?? DEFAULT_POLICY, platform);
  const hostData = toHex(exactBytes('HOST_DATA', launch.hostData, 32));
  const measurement = measureOvmf(launch.inputs).digest;
  const identity = identify(launch.id, { measurement, policy: policy.raw });
  return { ...identity, measurement, hostData, policy };
}

/** @throws {AttestationError} `simulated-request` for a policy that the platform does not meet */
export function acceptedPolicy(raw: bigint, { firmware, platformInfo }: Platform): GuestPolicy {
  const known = within('POLICY', raw, U64);
  if ((known & POLICY_MUST_BE_ONE) === 0n || (known & POLICY_MUST_BE_ZERO) !== 0n) {
    throw refused('POLICY must set bit 17 and no bit above 25', {
      expected: '0x20000 and known bits',
      found: `0x${raw.toString(16)}`,
    });
  }
  const policy = decodeGuestPolicy(known);
  const unmet = Object.entries(unmetDemands(policy, firmware, platformInfo)).filter(
    ([, fails]) => fails,
  );
  if (unmet.length > 0) {
    throw refused(`the platform does not meet POLICY: ${unmet.map(([name]) => name).join(', ')}`);
  }
  return policy;
}

function unmetDemands(
  policy: GuestPolicy,
  { major, minor }: FirmwareVersion,
  platform: PlatformInfo,
): Record<string, boolean> {
  const { abiMajor, abiMinor } = policy;
  return {
    'a newer ABI': abiMajor > major || (abiMajor === major && abiMinor > minor),
    'SMT off': !policy.smt && platform.smtEn,
    'RAPL disabled': policy.raplDis && !platform.raplDis,
    'ciphertext hiding': policy.ciphertextHidingDram && !platform.ciphertextHidingDramEn,
  };
}
