/**
 * TCB_VERSION: the security patch levels of a processor's firmware.
 *
 * @module
 */

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
