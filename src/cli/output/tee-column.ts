/**
 * The column of the list of boxes that tells confidential boxes from plain ones.
 *
 * @module
 */
import type { ConfidentialSummary } from '../../docker-api/a3s/confidential-box.ts';
import { objectOf, type Received, stringOf } from '../client/json.ts';

/** For a plain box. */
export const NO_TEE = '-';

/** In the list of boxes: `SIMULATED`, `snp`, or `-` for a plain box. */
export function teeColumn(confidential: Received<ConfidentialSummary> | null | undefined): string {
  const { Tee, AllowAnyInjector } = objectOf(confidential);
  if (Tee === undefined) return NO_TEE;
  const open = AllowAnyInjector === true ? ', any injector' : '';
  return `${Tee === 'simulate' ? 'SIMULATED' : stringOf(Tee)}${open}`;
}
