/**
 * The least TCB that the strict policy takes, for each kind of processor.
 *
 * These are values seen on fleets that are kept up to date, not statements of AMD: a bulletin may
 * ask for more, and a deployment that knows its hosts should ask for theirs. Each has the day of
 * its last review, so that an old table can be recognised.
 *
 * @module
 */

/** Processors that number their firmware alike. Bergamo and Siena count microcode on their own. */
export type TcbClass = 'milan' | 'genoa' | 'bergamo_siena' | 'turin';

/** Least security patch levels; every component has to be reached. */
export interface TcbFloor {
  /** Turin alone has one. */
  readonly fmc?: number | undefined;
  readonly bl: number;
  readonly tee: number;
  readonly snp: number;
  readonly ucode: number;
}

/** A minimum, its processors, and its source. */
export interface TcbMinimum {
  /** CPUID family. */
  readonly family: number;
  /** CPUID models, first and last included. */
  readonly firstModel: number;
  readonly lastModel: number;
  readonly minimum: TcbFloor;
  /** Day of the last review, `YYYY-MM-DD`. */
  readonly asOf: string;
  readonly source: string;
}

const AS_OF = '2026-11-25';

/** The minimums of the strict policy. */
export const TCB_MINIMUMS = {
  milan: {
    family: 0x19,
    firstModel: 0x00,
    lastModel: 0x0f,
    minimum: { bl: 4, tee: 0, snp: 24, ucode: 213 },
    asOf: AS_OF,
    source: 'snp: AMD-SB-3019 as cited in microsoft/CCF #6812; the rest: reports of 2026 fleets',
  },
  genoa: {
    family: 0x19,
    firstModel: 0x10,
    lastModel: 0x1f,
    minimum: { bl: 10, tee: 0, snp: 23, ucode: 84 },
    asOf: AS_OF,
    source: 'snp: AMD-SB-3019 as cited in microsoft/CCF #6812; the rest: reports of 2026 fleets',
  },
  bergamo_siena: {
    family: 0x19,
    firstModel: 0xa0,
    lastModel: 0xaf,
    minimum: { bl: 10, tee: 0, snp: 23, ucode: 25 },
    asOf: AS_OF,
    source: 'snp: as Genoa, whose firmware it runs; the rest: reports of 2026 fleets',
  },
  turin: {
    family: 0x1a,
    firstModel: 0x00,
    lastModel: 0x11,
    minimum: { fmc: 1, bl: 1, tee: 1, snp: 4, ucode: 81 },
    asOf: AS_OF,
    source: 'reports of 2026 fleets; tinfoilsh/platform-endorsements asks for ucode 82',
  },
} as const satisfies Readonly<Record<TcbClass, TcbMinimum>>;
