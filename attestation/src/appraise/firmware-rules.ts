/**
 * A policy's checks of the firmware: at launch, now, and after the worst rollback.
 *
 * The host may run firmware that it can still roll back: only the committed one is a lower bound.
 * So each minimum applies to the reported, the launch and the committed TCB.
 *
 * @module
 */
import type { TcbFloor, TcbFloors } from '@a3s-box/policies/attestation-policy';
import type { FirmwareVersion } from '../report/report-claims.ts';
import { formatTcb, type Tcb, tcbAtLeast, tcbEquals } from '../report/tcb.ts';
import type { Claims } from '../verify/verified-claims.ts';
import { demand, type Judgement, NOT_ASKED, type Rule, skip } from './judgement.ts';

export const tcbReported: Rule = ({ claims, policy }) =>
  atLeast(claims, claims.reportedTcb, policy.minTcb);

export const tcbLaunch: Rule = ({ claims, policy }) =>
  atLeast(claims, claims.launchTcb, policy.minLaunchTcb ?? policy.minTcb);

export const tcbCommitted: Rule = ({ claims, policy }) =>
  atLeast(claims, claims.committedTcb, policy.minCommittedTcb ?? policy.minTcb);

function atLeast({ tcbClass }: Claims, tcb: Tcb, floors: TcbFloors): Judgement {
  const floor = floors[tcbClass];
  const actual = formatTcb(tcb);
  if (floor === undefined) return demand(false, `none: no minimum for ${tcbClass}`, actual);
  const minimum = tcbOf(floor);
  return demand(tcbAtLeast(tcb, minimum), `at least ${formatTcb(minimum)}`, actual);
}

function tcbOf({ fmc, ...rest }: TcbFloor): Tcb {
  return fmc === undefined ? rest : { fmc, ...rest };
}

export const tcbOrder: Rule = ({ claims }) =>
  demand(
    tcbAtLeast(claims.currentTcb, claims.reportedTcb) &&
      tcbAtLeast(claims.currentTcb, claims.committedTcb),
    `reported and committed at most ${formatTcb(claims.currentTcb)}`,
    `reported ${formatTcb(claims.reportedTcb)}; committed ${formatTcb(claims.committedTcb)}`,
  );

export const provisionalFirmware: Rule = ({ claims, policy }) => {
  const current = firmware(claims.currentVersion, claims.currentTcb);
  const committed = firmware(claims.committedVersion, claims.committedTcb);
  if (policy.permitProvisionalFirmware) {
    const holds =
      versionAtLeast(claims.currentVersion, claims.committedVersion) &&
      tcbAtLeast(claims.currentTcb, claims.committedTcb);
    return demand(holds, `committed at most ${current}`, `committed ${committed}`);
  }
  const same =
    formatVersion(claims.currentVersion) === formatVersion(claims.committedVersion) &&
    tcbEquals(claims.currentTcb, claims.committedTcb);
  return demand(same, `committed ${current}, as current`, `committed ${committed}`);
};

function firmware(version: FirmwareVersion, tcb: Tcb): string {
  return `${formatVersion(version)} (${formatTcb(tcb)})`;
}

export const firmwareVersion: Rule = ({ claims, policy }) => {
  const minimum = versionOf(policy.minFirmware);
  return demand(
    versionAtLeast(claims.currentVersion, minimum) &&
      versionAtLeast(claims.committedVersion, minimum),
    `at least ${policy.minFirmware}`,
    `current ${formatVersion(claims.currentVersion)}, committed ${formatVersion(claims.committedVersion)}`,
  );
};

function versionOf(text: string): FirmwareVersion {
  const [major, minor, build] = text.split('.');
  return { major: Number(major), minor: Number(minor), build: Number(build ?? 0) };
}

function formatVersion({ major, minor, build }: FirmwareVersion): string {
  return `${major}.${minor}.${build}`;
}

function versionAtLeast(version: FirmwareVersion, minimum: FirmwareVersion): boolean {
  if (version.major !== minimum.major) return version.major > minimum.major;
  if (version.minor !== minimum.minor) return version.minor > minimum.minor;
  return version.build >= minimum.build;
}

export const mitigationsLaunch: Rule = ({ claims, policy }) =>
  mitigations(claims.launchMitVector, policy.minMitigationVector);

export const mitigationsCurrent: Rule = ({ claims, policy }) =>
  mitigations(claims.currentMitVector, policy.minMitigationVector);

function mitigations(vector: bigint | null, asked: bigint): Judgement {
  const actual = vector === null ? 'not reported before version 5' : `0x${vector.toString(16)}`;
  if (asked === 0n) return skip(NOT_ASKED, actual);
  return demand(((vector ?? 0n) & asked) === asked, `all bits of 0x${asked.toString(16)}`, actual);
}
