/**
 * Answers requests of a guest as the simulated secure processor.
 *
 * @module
 */
import type { SimulatedGuest } from '@a3s-box/attestation/simulated';
import {
  type DeriveKeyRequest,
  KEY_FIELDS,
  type ProcessorAnswer,
  type ProcessorErrorCode,
  readRequest,
} from './protocol.ts';

/** The part of the interface that is used here. */
export type AskedGuest = Pick<SimulatedGuest, 'report' | 'deriveKey'>;

/** ROOT_KEY_SELECT. */
const ROOT_KEY_SELECT = { VCEK: 0, VMRK: 1 } as const;

/** @returns undefined for a line that has no id to answer */
export function answerLine(guest: AskedGuest, line: Uint8Array): ProcessorAnswer | undefined {
  const request = readRequest(line);
  if (request === undefined || 'error' in request) return request;
  const { id } = request;
  try {
    if (request.op === 'derive-key') return { id, key: deriveKey(guest, request) };
    const reportData = new Uint8Array(Buffer.from(request.reportData, 'hex'));
    const { report, certificateTable } = guest.report({ reportData });
    return { id, report: base64(report), certificates: base64(certificateTable) };
  } catch (error) {
    return { id, error: failure(error) };
  }
}

function deriveKey(guest: AskedGuest, request: DeriveKeyRequest): string {
  const { rootKey, fields, vmpl, guestSvn, tcb } = request;
  const bits = fields.map((field) => 1n << BigInt(KEY_FIELDS.indexOf(field)));
  const key = guest.deriveKey({
    rootKeySelect: ROOT_KEY_SELECT[rootKey],
    guestFieldSelect: bits.reduce((all, bit) => all | bit, 0n),
    vmpl,
    guestSvn,
    tcbVersion: BigInt(tcb),
  });
  return Buffer.from(key).toString('hex');
}

/** The guest gets the firmware's answer, and nothing else of the host. */
function failure(error: unknown): { code: ProcessorErrorCode; message: string } {
  const refused = error instanceof Error && 'code' in error && error.code === 'simulated-request';
  return refused
    ? { code: 'refused', message: error.message }
    : { code: 'unavailable', message: 'the simulated secure processor failed' };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
