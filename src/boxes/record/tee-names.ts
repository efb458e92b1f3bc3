/**
 * Names of the secure processor in outputs, which tell a simulated one from a real one.
 *
 * @module
 */
import type { Tee } from '../../engine/vm/confidential-launch.ts';
import type { Box } from './box.ts';
import { hostDataOfBox } from './confidential.ts';

/** Part of every output about a box whose processor is simulated. */
export const SIMULATED = 'SIMULATED';

/** As evidence and policies name it. */
export const EVIDENCE_TEE = { snp: 'sev-snp', simulated: 'simulated' } as const satisfies Record<
  Tee,
  string
>;

/** As requests name it. */
export const ASKED_TEE = { snp: 'snp', simulated: 'simulate' } as const satisfies Record<
  Tee,
  string
>;

/** The attributes of an event, and of an entry of the server's log; none for a plain box. */
export function teeAttributes({ definition }: Pick<Box, 'definition'>): Record<string, string> {
  const { confidential } = definition;
  if (confidential === undefined) return {};
  const { tee } = confidential;
  const name = EVIDENCE_TEE[tee];
  return { tee: tee === 'simulated' ? SIMULATED : name, hostData: hostDataOfBox(confidential) };
}

/** Whether the box waits for secrets before its main process starts. */
export function waitsForSecrets({ state }: Pick<Box, 'state'>): boolean {
  return state.launch?.secrets.state === 'waiting';
}
