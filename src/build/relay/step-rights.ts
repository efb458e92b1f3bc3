/**
 * What no step of a build may have: the network of its builder, where the daemon's own proxy is,
 * more rights than a container, and a control group outside of the one that bounds all steps.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';

/** Networks of steps that are not the builder's own. */
const NETWORKS = ['', 'default', 'bridge', 'none'];

/**
 * Of BuildKit's call: `network.host`, `security.insecure`.
 *
 * @throws A3sError `unsupported-option` where there is any
 */
export function refuseEntitlements(entitlements: readonly string[]): void {
  const [first] = entitlements;
  if (first !== undefined) throw refused(`the entitlement ${first.slice(0, 40)}`);
}

/** Of a build without BuildKit. @throws A3sError `unsupported-option` */
export function refuseNetworkMode(mode: string): void {
  if (!NETWORKS.includes(mode)) throw refused(`the network ${mode.slice(0, 40)}`);
}

/** Of any build. @throws A3sError `unsupported-option` where there is any */
export function refuseControlGroup(parent: string): void {
  if (parent === '') return;
  throw new A3sError(
    'unsupported-option',
    `Cannot give the steps of a build the control group ${parent.slice(0, 40)}: all steps of a builder are in one, which bounds them`,
    { remedy: 'Build without it (--cgroup-parent).' },
  );
}

function refused(what: string): A3sError {
  return new A3sError(
    'unsupported-option',
    `Cannot give the steps of a build ${what}: they have the network of a container or none`,
    { remedy: 'Build without it (--network, --allow); steps reach other hosts by their proxy.' },
  );
}
