/**
 * The firmware's state of a guest: the fields of its reports.
 *
 * @module
 */
import { toHex } from '../../hex.ts';
import { hasCpuid, hasMitigationVectors } from '../../report/layout.ts';
import type { ReportClaims, VekKind } from '../../report/report-claims.ts';
import { applyEffects, type Firmware } from './firmware.ts';
import type { LaunchedGuest } from './launch-guest.ts';

/** A guest from its launch on. */
export interface GuestState extends LaunchedGuest {
  /** 32 bytes, hexadecimal, new at each launch. */
  readonly reportId: string;
  /** 32 bytes, new at each launch. */
  readonly vmrk: Uint8Array;
}

/** Bits of the mitigation vectors that current firmware sets. */
const MITIGATIONS = 0x3fn;

/** The fields of a report, with what the processor's misbehaviour makes of them. */
export function claimsOf(
  firmware: Firmware,
  guest: GuestState,
  request: Pick<ReportClaims, 'vmpl' | 'reportData'> & {
    readonly signingKey: VekKind;
  },
): ReportClaims {
  const { model, reportVersion: version, state } = firmware;
  const { authorKeyEn, vmrk: _, ...launched } = guest;
  const mitigations = hasMitigationVectors(version) ? MITIGATIONS : null;
  const { tcb, firmware: build } = model;
  const { signingKey, ...requested } = request;
  const claims: ReportClaims = {
    version,
    ...launched,
    ...requested,
    signatureAlgo: 1,
    platformInfo: firmware.platformInfo,
    keyInfo: { authorKeyEn, maskChipKey: false, signingKey },
    reportIdMa: 'ff'.repeat(32),
    cpuid: hasCpuid(version) ? model.cpuid : null,
    chipId: toHex(state.chip.id.subarray(0, model.chipIdLength)).padEnd(128, '0'),
    currentTcb: tcb,
    reportedTcb: tcb,
    committedTcb: tcb,
    launchTcb: tcb,
    currentVersion: build,
    committedVersion: build,
    launchMitVector: mitigations,
    currentMitVector: mitigations,
  };
  return applyEffects(firmware.effects, claims, ({ claims: change }, value) =>
    change?.(value, model),
  );
}
