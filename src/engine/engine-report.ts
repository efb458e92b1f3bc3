/**
 * The report of an engine.
 *
 * @module
 */

/** What an engine can do on this host, and the reason where it cannot. */
export interface EngineReport {
  readonly name: string;
  readonly available: boolean;
  readonly version: string | undefined;
  /** Why it is not available, and what to install. */
  readonly reason: string | undefined;
  readonly accelerators: readonly Capability[];
  readonly tees: readonly Capability[];
}

export interface Capability {
  readonly name: string;
  readonly available: boolean;
  readonly reason: string | undefined;
}
