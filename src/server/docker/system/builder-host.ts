import type { Builds } from '../../../build/builds.ts';

/** What builds need of the server. */
export interface BuilderHost {
  readonly builds: Builds;
  readonly log: { error(message: string, error: unknown): void };
}
