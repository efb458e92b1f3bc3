/**
 * How a confidential box is spoken of: nobody takes a simulated one for the real thing.
 *
 * @module
 */
import type { Tee } from '../../engine/engine.ts';
import type { Box } from './box.ts';

/** In every output about a box whose processor is simulated. */
export const SIMULATED = 'SIMULATED';

/** As evidence and policies name it. */
export const EVIDENCE_TEE = { snp: 'sev-snp', simulated: 'simulated' } as const satisfies Record<
  Tee,
  string
>;

/** As callers name it. */
export const ASKED_TEE = { snp: 'snp', simulated: 'simulate' } as const satisfies Record<
  Tee,
  string
>;

/** What events and the server's log say of it; nothing for a plain box. */
export function teeAttributes({ definition }: Pick<Box, 'definition'>): Record<string, string> {
  const { confidential } = definition;
  if (confidential === undefined) return {};
  const { tee, specDigest } = confidential;
  const name = EVIDENCE_TEE[tee];
  return { tee: tee === 'simulated' ? SIMULATED : name, hostData: specDigest };
}

/** It waits for secrets before its main process starts. */
export function waitsForSecrets({ state }: Pick<Box, 'state'>): boolean {
  return state.launch?.secrets.state === 'waiting';
}
