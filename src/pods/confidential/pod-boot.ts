/**
 * The boot set of a confidential pod, whose agent has to know of pods.
 *
 * @module
 */
import { confidentialBoot } from '../../boxes/confidential/launch-plan.ts';
import { A3sError } from '../../errors.ts';
import type { PodHost } from '../pod-host.ts';

/** The revision of launch specs that added those of pods. */
const WITH_PODS = 15;

/**
 * @throws A3sError `unsupported-option` for a set from before confidential pods,
 * `boot-set-missing`, `known-vulnerable`
 */
export async function podBoot(
  rt: Pick<PodHost, 'boot'>,
  bootSet: string,
): ReturnType<typeof confidentialBoot> {
  const boot = await confidentialBoot(rt, bootSet);
  if (boot.launchSpec >= WITH_PODS) return boot;
  throw new A3sError(
    'unsupported-option',
    `The boot set ${bootSet.slice(0, 12)} does not support confidential pods`,
    { remedy: 'Run npm run setup, which makes a boot set that does.' },
  );
}
