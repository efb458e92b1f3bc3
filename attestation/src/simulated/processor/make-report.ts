/**
 * SNP_GET_REPORT: a report, signed, with the certificates that the host hands over beside it.
 *
 * @module
 */
import { encodeCertificateTable } from '../../envelopes/certificate-table.ts';
import type { Evidence } from '../../evidence.ts';
import { toHex } from '../../hex.ts';
import { FIELDS, SIGNED_SIZE } from '../../report/layout.ts';
import type { VekKind } from '../../report/report-claims.ts';
import { serializeReport } from '../../report/serialize.ts';
import { formatTcb, type Tcb } from '../../report/tcb.ts';
import { certifyVek, type VekRequest, vekKey } from '../authorities/certify-vek.ts';
import { SIMULATED_CSP_ID } from '../authorities/names.ts';
import { type P384Key, signReport } from '../authorities/p384.ts';
import { applyEffects, type Firmware } from './firmware.ts';
import { claimsOf, type GuestState } from './guest-claims.ts';
import type { Effect } from './misbehaviour.ts';
import { exactBytes, permittedVmpl, refused } from './request.ts';

/** A guest's request. */
export interface ReportRequest {
  /** REPORT_DATA, exactly 64 bytes. */
  readonly reportData: Uint8Array;
  /** VMPL that the report names, at least the caller's; 0 where it is not given. */
  readonly vmpl?: number;
  /** VMPL that asks; 0 where it is not given. */
  readonly callerVmpl?: number;
  /** Which endorsement key signs; the chip's where it is not given. */
  readonly signingKey?: VekKind;
}

/** The response. */
export interface ReportResponse {
  /** ATTESTATION_REPORT, 1184 bytes. */
  readonly report: Uint8Array;
  /** The certificate table of an extended request: endorsement key, intermediate, root. */
  readonly certificateTable: Uint8Array;
  /** The same for a verifier. */
  readonly evidence: Evidence;
}

const DAY = 86_400_000;
const LIFETIME: Record<VekKind, number> = { VCEK: 7 * 365 * DAY, VLEK: 365 * DAY };

/** Answers a guest's request; throws `simulated-request` where firmware would refuse it. */
export function makeReport(
  firmware: Firmware,
  guest: GuestState,
  request: ReportRequest,
): ReportResponse {
  const reportData = toHex(exactBytes('REPORT_DATA', request.reportData, 64));
  const vmpl = permittedVmpl(request.vmpl ?? 0, request.callerVmpl ?? 0);
  const kind = signingKeyOf(request);
  const claims = claimsOf(firmware, guest, { reportData, vmpl, signingKey: kind });
  const report = serializeReport(claims);
  change(firmware.effects, 'unsigned', report);
  const { key, vek } = endorsementOf(firmware, kind, claims.reportedTcb);
  report.set(
    signReport(report.subarray(0, SIGNED_SIZE), key.privateKey),
    FIELDS.SIGNATURE_R.offset,
  );
  change(firmware.effects, 'signed', report);
  const { ark, [kind === 'VCEK' ? 'ask' : 'asvk']: intermediate } = firmware.state;
  return {
    report,
    certificateTable: encodeCertificateTable({
      [kind === 'VCEK' ? 'vcek' : 'vlek']: vek,
      ask: intermediate.certificate,
      ark: ark.certificate,
    }),
    evidence: {
      report: report.slice(),
      vek: vek.slice(),
      authorities: [intermediate.certificate.slice(), ark.certificate.slice()],
    },
  };
}

function signingKeyOf({ signingKey = 'VCEK' }: ReportRequest): VekKind {
  if (Object.hasOwn(LIFETIME, signingKey)) return signingKey;
  throw refused('there is no such signing key', {
    expected: 'VCEK or VLEK',
    found: String(signingKey),
  });
}

interface Endorsement {
  readonly key: P384Key;
  readonly vek: Uint8Array;
  readonly issuedAt: number;
}

/** By kind and TCB. A host hands out the certificate that it has, until another one is needed. */
const endorsements = new WeakMap<Firmware, Map<string, Endorsement>>();

function endorsementOf(firmware: Firmware, kind: VekKind, tcb: Tcb): Endorsement {
  const kept = endorsements.get(firmware) ?? new Map<string, Endorsement>();
  endorsements.set(firmware, kept);
  const name = `${kind} ${formatTcb(tcb)}`;
  const found = kept.get(name);
  const issuedAt = firmware.now();
  if (found !== undefined && Math.abs(issuedAt - found.issuedAt) < DAY / 2) return found;
  const key = endorsementKey(firmware, kind, tcb);
  const made = { key, vek: endorse(firmware, kind, tcb), issuedAt };
  kept.set(name, made);
  return made;
}

/** The certificate of an endorsement key, issued now, in DER. */
export function endorse(firmware: Firmware, kind: VekKind, tcb: Tcb): Uint8Array {
  const { model, state, effects, now } = firmware;
  const hwid = toHex(state.chip.id.subarray(0, model.chipIdLength));
  // From a day before, for clocks that go after.
  const notBefore = now() - DAY;
  const request: VekRequest = {
    kind,
    named: kind,
    productName: kind === 'VCEK' ? model.productName : model.product,
    structVersion: model.structVersion,
    tcb,
    hwid: kind === 'VCEK' ? hwid : null,
    cspId: kind === 'VCEK' ? null : SIMULATED_CSP_ID,
    notBefore,
    notAfter: notBefore + LIFETIME[kind],
  };
  const changed = applyEffects(effects, request, ({ vek }, value) => vek?.(value, model));
  return certifyVek(changed, endorsementKey(firmware, kind, tcb), state);
}

function endorsementKey({ model, state }: Firmware, kind: VekKind, tcb: Tcb) {
  return vekKey(state.chip.secret, kind, { product: model.product, tcb });
}

function change(effects: readonly Effect[], when: 'unsigned' | 'signed', report: Uint8Array): void {
  for (const effect of effects) effect[when]?.(report);
}
