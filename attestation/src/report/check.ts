/**
 * Checks a report's bytes before any signature is verified.
 *
 * @module
 */
import { AttestationError } from '../errors.ts';
import { toHex } from '../hex.ts';
import { P384_ORDER } from '../p384-order.ts';
import { fieldBytes, fieldUint8, fieldUint32, fieldUint64, hexNumber, isZero } from './field.ts';
import { POLICY_MUST_BE_ONE, POLICY_MUST_BE_ZERO } from './guest-policy.ts';
import { decodeKeyInfo } from './key-info.ts';
import {
  FIELDS,
  type Field,
  hasCpuid,
  REPORT_SIZE,
  REPORT_VERSIONS,
  reservedFields,
  SCALAR_SIZE,
} from './layout.ts';
import { type Product, productOf } from './product.ts';
import { decodeTcb, tcbLayoutOf } from './tcb.ts';

const HIGHEST_VMPL = 3;
/** The VMPL of a report that the host asked for. */
const VMPL_HOST = 0xffff_ffff;
const ECDSA_P384_SHA384 = 1;
/** Bytes of CHIP_ID that Turin fills. */
const TURIN_CHIP_ID_SIZE = 8;

/** TCB versions of a report, by name. */
const TCB_FIELDS = [
  FIELDS.CURRENT_TCB,
  FIELDS.REPORTED_TCB,
  FIELDS.COMMITTED_TCB,
  FIELDS.LAUNCH_TCB,
];

/**
 * Checks a report in the order of the codes of {@link VERIFY_CHECKS}, up to `report-tcb`.
 *
 * @returns the product of the report; null for version 2, which names none
 * @throws AttestationError with the code of the first check that fails
 */
export function checkReport(report: Uint8Array): Product | null {
  checkLength(report);
  const version = checkVersion(report);
  checkReserved(report, version);
  checkGuestPolicy(report);
  checkVmpl(report);
  checkSignatureAlgorithm(report);
  decodeKeyInfo(fieldUint32(report, FIELDS.KEY_INFO));
  checkSignatureEncoding(report);
  const product = hasCpuid(version) ? identify(report) : refuseTurin(report);
  checkTcbs(report, product);
  return product;
}

function checkLength(report: Uint8Array): void {
  if (report.length !== REPORT_SIZE) {
    throw new AttestationError('report-length', 'the report has the wrong length', {
      expected: `${REPORT_SIZE} bytes`,
      found: `${report.length} bytes`,
    });
  }
}

function checkVersion(report: Uint8Array): number {
  const version = fieldUint32(report, FIELDS.VERSION);
  if (!REPORT_VERSIONS.includes(version)) {
    throw new AttestationError('report-version', 'the report version is unknown', {
      expected: REPORT_VERSIONS.join(', '),
      found: String(version),
    });
  }
  return version;
}

function checkReserved(report: Uint8Array, version: number): void {
  for (const field of reservedFields(version)) {
    const bytes = fieldBytes(report, field);
    if (!isZero(bytes)) {
      throw new AttestationError(
        'report-reserved',
        `${placeOf(field)} must be zero in a report of version ${version}`,
        { expected: 'zero', found: `0x${toHex(bytes)}` },
      );
    }
  }
}

function placeOf({ offset, size }: Field): string {
  if (size === 1) return `byte ${hexNumber(offset)}`;
  return `bytes ${hexNumber(offset)} to ${hexNumber(offset + size - 1)}`;
}

function checkGuestPolicy(report: Uint8Array): void {
  const policy = fieldUint64(report, FIELDS.POLICY);
  if ((policy & POLICY_MUST_BE_ONE) === 0n) {
    throw new AttestationError('report-guest-policy', 'bit 17 of POLICY must be one', {
      expected: 'bit 17 set',
      found: hexNumber(policy),
    });
  }
  if ((policy & POLICY_MUST_BE_ZERO) !== 0n) {
    throw new AttestationError('report-guest-policy', 'POLICY sets bits that must be zero', {
      expected: 'bits 63 to 26 zero',
      found: hexNumber(policy),
    });
  }
}

function checkVmpl(report: Uint8Array): void {
  const vmpl = fieldUint32(report, FIELDS.VMPL);
  if (vmpl > HIGHEST_VMPL) {
    const message =
      vmpl === VMPL_HOST ? 'the host asked for the report, no guest' : 'no guest has that VMPL';
    throw new AttestationError('report-vmpl', message, {
      expected: `0 to ${HIGHEST_VMPL}`,
      found: hexNumber(vmpl),
    });
  }
}

function checkSignatureAlgorithm(report: Uint8Array): void {
  const algorithm = fieldUint32(report, FIELDS.SIGNATURE_ALGO);
  if (algorithm !== ECDSA_P384_SHA384) {
    throw new AttestationError('report-signature-algorithm', 'SIGNATURE_ALGO is unknown', {
      expected: `${ECDSA_P384_SHA384} (ECDSA P-384 with SHA-384)`,
      found: String(algorithm),
    });
  }
}

function checkSignatureEncoding(report: Uint8Array): void {
  checkScalar(report, FIELDS.SIGNATURE_R, 'R');
  checkScalar(report, FIELDS.SIGNATURE_S, 'S');
  if (!isZero(fieldBytes(report, FIELDS.SIGNATURE_RESERVED))) {
    throw new AttestationError(
      'report-signature-encoding',
      'the bytes behind the numbers of the signature must be zero',
      { expected: 'zero' },
    );
  }
}

function checkScalar(report: Uint8Array, field: Field, name: string): void {
  const bytes = fieldBytes(report, field);
  if (!isZero(bytes.subarray(SCALAR_SIZE))) {
    throw new AttestationError(
      'report-signature-encoding',
      `${name} of the signature is longer than ${SCALAR_SIZE} bytes`,
      { expected: 'zero above them', found: `0x${toHex(bytes.subarray(SCALAR_SIZE))}` },
    );
  }
  const value = BigInt(`0x${toHex(bytes.slice(0, SCALAR_SIZE).reverse())}`);
  if (value === 0n || value >= P384_ORDER) {
    throw new AttestationError(
      'report-signature-encoding',
      `${name} of the signature is out of range`,
      { expected: 'from 1 to the order of P-384, less one', found: hexNumber(value) },
    );
  }
}

/** Since version 3 a report names its processor. */
function identify(report: Uint8Array): Product {
  const family = fieldUint8(report, FIELDS.CPUID_FAM_ID);
  const model = fieldUint8(report, FIELDS.CPUID_MOD_ID);
  const product = productOf({ family, model });
  if (product === null) {
    throw new AttestationError(
      'product',
      `the processor of family ${hexNumber(family)}, model ${hexNumber(model)} is unknown`,
      { expected: 'Milan, Genoa (with Bergamo and Siena) or Turin' },
    );
  }
  return product;
}

/**
 * Version 2 names no processor, yet Turin's TCB layout differs: its short CHIP_ID identifies it.
 */
function refuseTurin(report: Uint8Array): null {
  const chipId = fieldBytes(report, FIELDS.CHIP_ID);
  if (isZero(chipId.subarray(TURIN_CHIP_ID_SIZE)) && !isZero(chipId)) {
    throw new AttestationError(
      'product',
      'the report of version 2 has the CHIP_ID of a Turin, whose TCB layout it cannot name',
      {
        expected: 'a CHIP_ID of 64 bytes, or zero',
        found: toHex(chipId),
        remedy: 'Update the firmware of the host, so that its reports name the processor.',
      },
    );
  }
  return null;
}

function checkTcbs(report: Uint8Array, product: Product | null): void {
  const layout = tcbLayoutOf(product);
  for (const field of TCB_FIELDS) decodeTcb(fieldBytes(report, field), layout);
}
