/**
 * What no step of a build may have: the network of its builder, where the daemon's own proxy is,
 * and more rights than a container.
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

function refused(what: string): A3sError {
  return new A3sError(
    'unsupported-option',
    `Cannot give the steps of a build ${what}: they have the network of a container or none`,
    { remedy: 'Build without it (--network, --allow); steps reach other hosts by their proxy.' },
  );
}
