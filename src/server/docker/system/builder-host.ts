import type { Builds } from '../../../build/builds.ts';

/** What builds need of the server. */
export interface BuilderHost {
  /** Undefined where there is no builder. */
  readonly builds: Builds | undefined;
  readonly log: { error(message: string, error: unknown): void };
}
