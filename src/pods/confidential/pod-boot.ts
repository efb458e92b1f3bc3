/**
 * The boot set of a confidential pod, whose agent has to know of pods.
 *
 * @module
 */
import type { PodLaunchSpec } from '@a3s-box/policies';
import { confidentialBoot } from '../../boxes/confidential/launch-plan.ts';
import { A3sError } from '../../errors.ts';
import type { PodHost } from '../pod-host.ts';

/** The revision of launch specs that added those of pods. */
const WITH_PODS = 15;
/** The one that added `secrets` of containers. */
const WITH_CONTAINER_SECRETS = 16;

/**
 * @throws A3sError `unsupported-option` for a set whose agent refuses the launch spec,
 * `boot-set-missing`, `known-vulnerable`
 */
export async function podBoot(
  rt: Pick<PodHost, 'boot'>,
  bootSet: string,
  { containers }: Pick<PodLaunchSpec, 'containers'>,
): ReturnType<typeof confidentialBoot> {
  const boot = await confidentialBoot(rt, bootSet);
  if (boot.launchSpec < WITH_PODS) throw unsupported(bootSet, 'confidential pods');
  const has = containers.some(({ secrets }) => secrets !== undefined);
  if (has && boot.launchSpec < WITH_CONTAINER_SECRETS) {
    throw unsupported(bootSet, 'secrets of single containers');
  }
  return boot;
}

function unsupported(bootSet: string, what: string): A3sError {
  return new A3sError(
    'unsupported-option',
    `The boot set ${bootSet.slice(0, 12)} does not support ${what}`,
    { remedy: 'Run npm run setup, which makes a boot set that does.' },
  );
}
