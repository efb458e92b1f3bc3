/**
 * Prints the fields of a report for people. None of them is verified, and the text begins and ends
 * with that statement.
 *
 * @module
 */
import { printable } from '../../client/failure.ts';
import { alignColumns } from '../../output/table.ts';
import type { CertificateFacts } from './certificate-facts.ts';
import type { Library } from './load-library.ts';

type Claims = ReturnType<Library['unverifiedClaims']>;
type Row = readonly [string, string];

const BANNER =
  '*** UNVERIFIED: anyone can write such a report. Decide nothing by it; use a3s-box attest verify. ***';

export function describeReport(
  library: Library,
  claims: Claims,
  certificate: CertificateFacts | null,
): string {
  const sections: readonly (readonly [string, readonly Row[]])[] = [
    ['Report', reportRows(claims)],
    ['Guest', guestRows(claims)],
    ['Platform', platformRows(library, claims)],
    ['Endorsement key certificate', certificateRows(library, certificate)],
  ];
  const text = sections
    .map(([title, rows]) => {
      const lines = rows.map(([name, value]) => `  ${name}\t${value.replaceAll(/\s/g, ' ')}`);
      return `${title}\n${alignColumns(lines)}`;
    })
    .join('\n');
  return printable(`${BANNER}\n\n${text}\n${BANNER}\n`);
}

function reportRows({ version, vmpl, keyInfo, reportData, reportId, reportIdMa }: Claims): Row[] {
  return [
    ['version', String(version)],
    ['vmpl', String(vmpl)],
    ['signing key', keyInfo.signingKey],
    ['author key', yes(keyInfo.authorKeyEn)],
    ['report data', reportData],
    ['report id', reportId],
    ['migration agent', /^f+$/.test(reportIdMa) ? 'none' : reportIdMa],
  ];
}

function guestRows(claims: Claims): Row[] {
  const { policy } = claims;
  return [
    ['measurement', claims.measurement],
    ['host data', claims.hostData],
    ['policy', `${hex(policy.raw)} (${flags(policy)})`],
    ['least ABI', `${policy.abiMajor}.${policy.abiMinor}`],
    ['guest svn', String(claims.guestSvn)],
    ['family id', claims.familyId],
    ['image id', claims.imageId],
    ['id key digest', claims.idKeyDigest],
    ['author key digest', claims.authorKeyDigest],
  ];
}

function platformRows(library: Library, claims: Claims): Row[] {
  const { cpuid, platformInfo, currentVersion, committedVersion } = claims;
  return [
    ['processor', cpuid === null ? 'not told' : processor(cpuid)],
    ['chip id', `${claims.chipId}${claims.keyInfo.maskChipKey ? ' (masked)' : ''}`],
    ['platform info', `${hex(platformInfo.raw)} (${flags(platformInfo)})`],
    ['reported tcb', library.formatTcb(claims.reportedTcb)],
    ['current tcb', library.formatTcb(claims.currentTcb)],
    ['committed tcb', library.formatTcb(claims.committedTcb)],
    ['launch tcb', library.formatTcb(claims.launchTcb)],
    ['current firmware', firmware(currentVersion)],
    ['committed firmware', firmware(committedVersion)],
    ['launch mitigations', vector(claims.launchMitVector)],
    ['current mitigations', vector(claims.currentMitVector)],
  ];
}

function certificateRows(library: Library, facts: CertificateFacts | null): Row[] {
  if (facts === null) return [['none', 'neither in the evidence nor given']];
  if ('malformed' in facts) return [['malformed', `${facts.message} (${facts.malformed})`]];
  return [
    ['kind', facts.kind],
    ['product', facts.productName],
    ['subject', facts.subject],
    ['issuer', facts.issuer],
    ['tcb', library.formatTcb(facts.tcb)],
    ...(facts.hwid === null ? [] : [['chip id', facts.hwid] as const]),
    ...(facts.cspId === null ? [] : [['provider', facts.cspId] as const]),
    ['valid', `${facts.notBefore} to ${facts.notAfter}`],
  ];
}

function processor({ family, model, stepping }: NonNullable<Claims['cpuid']>): string {
  return `family ${hex(family)}, model ${hex(model)}, stepping ${stepping}`;
}

function firmware({ major, minor, build }: Claims['currentVersion']): string {
  return `${major}.${minor}.${build}`;
}

function vector(value: bigint | null): string {
  return value === null ? 'not told' : hex(value);
}

function hex(value: bigint | number): string {
  return `0x${value.toString(16)}`;
}

function yes(value: boolean): string {
  return value ? 'yes' : 'no';
}

/** The names of the bits that are set. */
function flags(bits: object): string {
  const set = Object.entries(bits).filter(([, value]) => value === true);
  return set.length === 0 ? 'nothing set' : set.map(([name]) => name).join(', ');
}
