/**
 * TCB_VERSION: the security patch levels of a processor's firmware.
 *
 * @module
 */
import { AttestationError } from '../errors.ts';
import { toHex } from '../hex.ts';
import type { Product } from './product.ts';

/** Components by the names of the key distribution service (blSPL, teeSPL, …); each 0 to 255. */
export interface Tcb {
  /** Firmware of the FMC; Turin alone has one. */
  readonly fmc?: number;
  /** Boot loader. */
  readonly bl: number;
  /** Secure processor operating system. */
  readonly tee: number;
  /** SNP firmware. */
  readonly snp: number;
  /** Lowest microcode level of all cores. */
  readonly ucode: number;
}

/** Bytes of a TCB_VERSION. */
export const TCB_SIZE = 8;

/** How the components lie in the eight bytes. */
export type TcbLayout = 'milan-genoa' | 'turin';

const COMPONENTS = ['fmc', 'bl', 'tee', 'snp', 'ucode'] as const;

type Component = (typeof COMPONENTS)[number];

/** What each byte is; null must be zero (AMD 56860, TCB_VERSION; 57230 for Turin). */
const LAYOUTS: Readonly<Record<TcbLayout, readonly (Component | null)[]>> = {
  'milan-genoa': ['bl', 'tee', null, null, null, null, 'snp', 'ucode'],
  turin: ['fmc', 'bl', 'tee', 'snp', null, null, null, 'ucode'],
};

/** The layout of a product; one that a report does not name has that of Milan and Genoa. */
export function tcbLayoutOf(product: Product | null): TcbLayout {
  return product === 'Turin' ? 'turin' : 'milan-genoa';
}

/**
 * Takes the components out of the eight bytes of a TCB_VERSION.
 *
 * @throws AttestationError `report-tcb` where a reserved byte is not zero
 * @throws RangeError for another number of bytes
 */
export function decodeTcb(bytes: Uint8Array, layout: TcbLayout): Tcb {
  if (bytes.length !== TCB_SIZE) throw new RangeError(`a TCB version has ${TCB_SIZE} bytes`);
  const found: Record<Component, number> = { fmc: 0, bl: 0, tee: 0, snp: 0, ucode: 0 };
  let reserved = 0;
  LAYOUTS[layout].forEach((component, index) => {
    const byte = Number(bytes[index]);
    if (component === null) reserved |= byte;
    else found[component] = byte;
  });
  if (reserved !== 0) {
    throw new AttestationError('report-tcb', `a TCB version has bytes that no ${layout} one has`, {
      expected: 'reserved bytes zero',
      found: toHex(bytes),
    });
  }
  const { fmc, ...tcb } = found;
  return Object.freeze(layout === 'turin' ? { fmc, ...tcb } : tcb);
}

/**
 * Inverse of {@link decodeTcb}.
 *
 * @throws RangeError for a component that is no byte, and unless `fmc` is there on Turin and
 *   missing elsewhere
 */
export function encodeTcb(tcb: Tcb, layout: TcbLayout): Uint8Array {
  if ((tcb.fmc !== undefined) !== (layout === 'turin')) {
    throw new RangeError(`a TCB version of the ${layout} layout ${FMC_RULE[layout]}`);
  }
  return Uint8Array.from(LAYOUTS[layout], (component) =>
    component === null ? 0 : byteOf(component, tcb[component]),
  );
}

const FMC_RULE: Readonly<Record<TcbLayout, string>> = {
  'milan-genoa': 'has no fmc',
  turin: 'has an fmc',
};

function byteOf(component: Component, value: number | undefined): number {
  if (value === undefined || !Number.isInteger(value) || value < 0 || value > 0xff) {
    throw new RangeError(`${component} must be an integer from 0 to 255`);
  }
  return value;
}

function sameLayout(one: Tcb, other: Tcb): boolean {
  return (one.fmc === undefined) === (other.fmc === undefined);
}

/** A component for comparing; two of one layout both have an `fmc` or neither. */
function level(tcb: Tcb, component: Component): number {
  return tcb[component] ?? 0;
}

/**
 * Whether every component is at least that of the minimum.
 *
 * Never as one number: a newer microcode must not outweigh an older boot loader. Versions of
 * different layouts cannot be compared, so the answer is no.
 */
export function tcbAtLeast(tcb: Tcb, minimum: Tcb): boolean {
  return (
    sameLayout(tcb, minimum) &&
    COMPONENTS.every((component) => level(tcb, component) >= level(minimum, component))
  );
}

/** Whether every component is the same, and the layout. */
export function tcbEquals(one: Tcb, other: Tcb): boolean {
  return (
    sameLayout(one, other) &&
    COMPONENTS.every((component) => level(one, component) === level(other, component))
  );
}

/** For people, such as `bl 4, tee 0, snp 24, ucode 213`. */
export function formatTcb(tcb: Tcb): string {
  return COMPONENTS.filter((component) => tcb[component] !== undefined)
    .map((component) => `${component} ${tcb[component]}`)
    .join(', ');
}
