/**
 * The warnings that every command prints when it makes or shows a confidential box.
 *
 * @module
 */
import type { ConfidentialShown } from '../../docker-api/a3s/confidential-box.ts';
import type { ContainerInspect } from '../../docker-api/containers/container.ts';
import { objectOf, objectsOf, stringOf } from '../client/json.ts';
import type { Context } from '../context.ts';

/** Read from the box, or from the request that makes it: both name these fields alike. */
export interface ConfidentialWarnings {
  readonly simulated: boolean;
  /** Secrets that any client that reaches the box may inject. */
  readonly openSecrets: readonly string[];
}

const SIMULATED =
  'SIMULATED: no hardware protects this box; its host can read its memory, secrets included';

/** On stderr, so that output stays the box's own. */
export function printWarnings(
  { stderr }: Pick<Context, 'stderr'>,
  warnings: ConfidentialWarnings,
): void {
  if (warnings.simulated) stderr.write(`${SIMULATED}\n`);
  if (warnings.openSecrets.length === 0) return;
  stderr.write(
    `WARNING: any client that reaches the box may inject: ${warnings.openSecrets.join(', ')}\n`,
  );
}

/** What both documents say. */
interface ConfidentialDocument {
  readonly Tee?: ConfidentialShown['Tee'];
  readonly Secrets?:
    | readonly { readonly Name?: string; readonly AllowAnyInjector?: boolean | undefined }[]
    | undefined;
}

/** Of `Confidential` in a create request, or in a box's document. */
export function warningsFor(
  confidential: ConfidentialDocument | null | undefined,
): ConfidentialWarnings {
  const { Tee, Secrets } = objectOf(confidential);
  const open = objectsOf(Secrets).filter((secret) => secret.AllowAnyInjector === true);
  return {
    simulated: Tee === 'simulate',
    openSecrets: open.map((secret) => stringOf(secret.Name)),
  };
}

/** Of a box's document. */
export function warningsOf(box: unknown): ConfidentialWarnings {
  return warningsFor(objectOf<ContainerInspect>(box).Confidential);
}
