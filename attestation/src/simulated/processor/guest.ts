/**
 * A launched guest, and its requests to the secure processor.
 *
 * @module
 */
import { tcbLayoutOf } from '../../report/tcb.ts';
import { type DerivedKeyRequest, deriveKey } from './derived-key.ts';
import type { Firmware } from './firmware.ts';
import { claimsOf, type GuestState } from './guest-claims.ts';
import { keepGuest, type SimulatedGuestState } from './guest-state.ts';
import { makeReport, type ReportRequest, type ReportResponse } from './make-report.ts';

/** A guest; {@link SimulatedSecureProcessor.launch} gives it. */
export class SimulatedGuest {
  readonly #firmware: Firmware;
  readonly #guest: GuestState;

  constructor(firmware: Firmware, guest: GuestState) {
    this.#firmware = firmware;
    this.#guest = guest;
  }

  /** The launch digest: 96 hexadecimal digits. */
  get measurement(): string {
    return this.#guest.measurement;
  }

  /**
   * What is needed to go on with it in another process, by {@link SimulatedSecureProcessor.resume};
   * a secret.
   */
  keep(): SimulatedGuestState {
    return keepGuest(this.#guest, this.#firmware.state.chip.id);
  }

  /**
   * SNP_GET_REPORT, or its extended form with certificates.
   *
   * @throws {AttestationError} `simulated-request` for REPORT_DATA that has not 64 bytes, a VMPL
   *   that is not there or more privileged than the caller's, and a signing key that does not
   *   exist.
   */
  report(request: ReportRequest): ReportResponse {
    return makeReport(this.#firmware, this.#guest, request);
  }

  /**
   * SNP_GET_DERIVED_KEY: 32 bytes.
   *
   * The same guest on the same processor gets the same key again; no other does, as far as the
   * selected fields distinguish guests. HOST_DATA is not among them.
   *
   * @throws {AttestationError} `simulated-request` where the firmware would refuse, see
   *   {@link DerivedKeyRequest}.
   */
  deriveKey(request: DerivedKeyRequest): Uint8Array {
    const { model, state } = this.#firmware;
    const requested = { vmpl: 0, reportData: '00'.repeat(64), signingKey: 'VCEK' } as const;
    return deriveKey(request, {
      claims: claimsOf(this.#firmware, this.#guest, requested),
      layout: tcbLayoutOf(model.product),
      chipSecret: state.chip.secret,
      vmrk: this.#guest.vmrk,
    });
  }
}
