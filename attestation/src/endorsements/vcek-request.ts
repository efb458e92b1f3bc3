/**
 * Identifies a VCEK certificate: every TCB of every chip has its own.
 *
 * @module
 */
import { AttestationError } from '../errors.ts';
import type { Product } from '../report/product.ts';
import type { Tcb } from '../report/tcb.ts';

export const PRODUCTS: readonly Product[] = ['Milan', 'Genoa', 'Turin'];

/** Which VCEK: that of one chip at one TCB. */
export interface VcekRequest {
  readonly product: Product;
  /** Hexadecimal, 64 bytes, as CHIP_ID of a report; on Turin also the 8 bytes of a HWID. */
  readonly chipId: string;
  /** The TCB that the key stands for: REPORTED_TCB of a report. */
  readonly tcb: Tcb;
}

/** Digits of a HWID. */
const HWID_DIGITS: Readonly<Record<Product, number>> = { Milan: 128, Genoa: 128, Turin: 16 };

/**
 * The same request in its one form: `chipId` is the HWID, in lower case, with nothing behind it.
 *
 * @throws RangeError if a field is out of range, which no parsed report can cause.
 * @throws AttestationError `kds-unsupported` if the report hides its chip, or if a Turin report has
 * more than the 8 bytes that its chips are numbered by.
 */
export function vcekRequest(request: VcekRequest): VcekRequest {
  const { product, tcb } = request;
  const chipId = trimChipId(product, request.chipId.toLowerCase());
  const problem = vcekProblem({ product, chipId, tcb });
  if (problem !== undefined) throw new RangeError(`Cannot name a VCEK: ${problem}.`);
  if (/^0+$/.test(chipId)) {
    throw new AttestationError(
      'kds-unsupported',
      'Cannot fetch a VCEK: the report hides its chip.',
      {
        expected: 'a CHIP_ID that is not zero',
        found: 'zeros',
        remedy: "Get the VCEK certificate from the host's operator, and pass it on.",
      },
    );
  }
  return { product, chipId, tcb };
}

/** The reason why a request names no VCEK, if there is one. `chipId` is a HWID in lower case. */
export function vcekProblem({ product, chipId, tcb }: VcekRequest): string | undefined {
  if (!PRODUCTS.includes(product)) return `the product is ${product}`;
  if (!/^[0-9a-f]*$/.test(chipId) || chipId.length !== HWID_DIGITS[product]) {
    return `the chip id of ${product} is not of ${HWID_DIGITS[product] / 2} bytes`;
  }
  if ((tcb.fmc !== undefined) !== (product === 'Turin')) {
    return `the TCB is not that of ${product}: Turin, and Turin alone, counts an FMC`;
  }
  const levels = [tcb.fmc ?? 0, tcb.bl, tcb.tee, tcb.snp, tcb.ucode];
  return levels.every((level) => Number.isInteger(level) && level >= 0 && level <= 255)
    ? undefined
    : 'a component of the TCB is not from 0 to 255';
}

/** CHIP_ID has 64 bytes for every product; a Turin chip is numbered by 8, before zeros. */
function trimChipId(product: Product, chipId: string): string {
  if (product !== 'Turin' || chipId.length !== 128) return chipId;
  const hwid = chipId.slice(0, HWID_DIGITS.Turin);
  const rest = chipId.slice(HWID_DIGITS.Turin);
  if (/^0+$/.test(rest)) return hwid;
  throw new AttestationError(
    'kds-unsupported',
    'Cannot fetch a VCEK: the chip id is not that of a Turin processor.',
    { expected: '8 bytes, then zeros', found: chipId },
  );
}
