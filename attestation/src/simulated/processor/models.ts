/**
 * The processors that can be simulated.
 *
 * Levels are those of fleets seen in 2026, firmware and mitigations those of a current host.
 *
 * @module
 */

import type { Product, TcbClass } from '../../report/product.ts';
import type { Cpuid, FirmwareVersion } from '../../report/report-claims.ts';
import type { Tcb } from '../../report/tcb.ts';

/** A kind of processor. */
export interface SimulatedModel {
  readonly product: Product;
  readonly tcbClass: TcbClass;
  /** As certificates print it. */
  readonly productName: string;
  /** structVersion of its certificates. */
  readonly structVersion: 0 | 1;
  readonly cpuid: Cpuid;
  readonly tcb: Tcb;
  /** Levels of long ago, below every minimum. */
  readonly oldTcb: Tcb;
  readonly firmware: FirmwareVersion;
  readonly platformInfo: bigint;
  /** Bytes of CHIP_ID that are not zero, and of HWID. */
  readonly chipIdLength: 8 | 64;
}

const MILAN: SimulatedModel = {
  product: 'Milan',
  tcbClass: 'milan',
  productName: 'Milan-B0',
  structVersion: 0,
  cpuid: { family: 0x19, model: 0x01, stepping: 0x01 },
  tcb: { bl: 4, tee: 0, snp: 25, ucode: 219 },
  oldTcb: { bl: 2, tee: 0, snp: 6, ucode: 115 },
  firmware: { major: 1, minor: 55, build: 31 },
  // ECC and alias check; no SMT.
  platformInfo: 0x24n,
  chipIdLength: 64,
};

const GENOA: SimulatedModel = {
  ...MILAN,
  product: 'Genoa',
  tcbClass: 'genoa',
  productName: 'Genoa',
  cpuid: { family: 0x19, model: 0x11, stepping: 0x01 },
  tcb: { bl: 10, tee: 0, snp: 27, ucode: 88 },
  oldTcb: { bl: 7, tee: 0, snp: 14, ucode: 60 },
  firmware: { major: 1, minor: 55, build: 49 },
};

const BERGAMO: SimulatedModel = {
  ...GENOA,
  tcbClass: 'bergamo_siena',
  cpuid: { family: 0x19, model: 0xa0, stepping: 0x02 },
  tcb: { bl: 10, tee: 0, snp: 27, ucode: 27 },
  oldTcb: { bl: 7, tee: 0, snp: 14, ucode: 11 },
};

const TURIN: SimulatedModel = {
  product: 'Turin',
  tcbClass: 'turin',
  productName: 'Turin',
  structVersion: 1,
  cpuid: { family: 0x1a, model: 0x02, stepping: 0x01 },
  tcb: { fmc: 1, bl: 1, tee: 1, snp: 4, ucode: 82 },
  oldTcb: { fmc: 0, bl: 1, tee: 0, snp: 2, ucode: 30 },
  firmware: { major: 1, minor: 58, build: 65 },
  // Besides: writes through the IOMMU are safe.
  platformInfo: 0x64n,
  chipIdLength: 8,
};

/** By the name of the part; Siena is numbered as Bergamo is. */
export const SIMULATED_MODELS = {
  Milan: MILAN,
  Genoa: GENOA,
  Bergamo: BERGAMO,
  Siena: BERGAMO,
  Turin: TURIN,
} as const satisfies Record<string, SimulatedModel>;

/** Names of {@link SIMULATED_MODELS}. */
export type SimulatedModelName = keyof typeof SIMULATED_MODELS;
