/**
 * What a guest boots.
 *
 * @module
 */

/** What a guest runs on, in Go's spelling. */
export type GuestArchitecture = 'amd64' | 'arm64';

/** What a guest boots. */
export interface GuestBoot {
  readonly kernelPath: string;
  readonly initrdPath: string;
  readonly commandLine: readonly string[];
  /** Of the guest; absent: amd64. */
  readonly architecture?: GuestArchitecture;
}
