/**
 * Says that a node has no SEV-SNP before anything of a pod is made.
 *
 * @module
 */
import type { Tee } from '../../engine/vm/confidential-launch.ts';
import { A3sError } from '../../errors.ts';
import type { PodHost } from '../pod-host.ts';

/** Simulation needs nothing of the node. @throws A3sError `tee-unavailable` */
export async function expectTee(rt: Pick<PodHost, 'engine'>, tee: Tee): Promise<void> {
  if (tee === 'simulated') return;
  const reports = await rt.engine.reports();
  const found = reports.flatMap(({ tees }) => tees).filter(({ name }) => name === 'sev-snp');
  if (found.some(({ available }) => available)) return;
  const lacks = found.flatMap(({ reason }) => reason ?? []).join('; ');
  throw new A3sError(
    'tee-unavailable',
    `Cannot run the pod: this node has no SEV-SNP: ${lacks || 'no engine can use it'}`,
    {
      remedy:
        'Run it on a node that has it, or by the handler a3s-simulate, which protects nothing and is for development.',
    },
  );
}
