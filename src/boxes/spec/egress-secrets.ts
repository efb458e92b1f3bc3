/**
 * What a box gets of its egress secrets: placeholders, and an authority to trust.
 *
 * @module
 */
import type { BoxSpec } from '@a3s-box/policies';
import type { BoxDefinition } from '../record/box.ts';

/** Where the agent writes certificates (`native/agent/box/rootfs/authorities.go`). */
const DIRECTORY = '/run/a3s/authorities';
/** The box's own authority alone, and behind those of its image. */
const [OWN, ALL] = [`${DIRECTORY}/box.pem`, `${DIRECTORY}/all.pem`] as const;

/**
 * For programs that have authorities of their own: Node takes more, OpenSSL and Go others than the
 * system's, as do Python's requests and httpx, which never read the system's.
 */
const TRUSTING = [
  `NODE_EXTRA_CA_CERTS=${OWN}`,
  `SSL_CERT_FILE=${ALL}`,
  `REQUESTS_CA_BUNDLE=${ALL}`,
] as const;

type WithSecrets = Pick<BoxDefinition, 'env'> & Partial<Pick<BoxDefinition, 'egressSecrets'>>;

/** The variables of a box's processes. What names authorities gives way to the box's own. */
export function variablesOf({ env, egressSecrets }: WithSecrets): readonly string[] {
  if (egressSecrets === undefined) return env;
  const placeholders = egressSecrets.secrets.map(
    ({ name, placeholder }) => `${name}=${placeholder}`,
  );
  return [...TRUSTING, ...env, ...placeholders];
}

/** The authorities that the box trusts besides those of its image. */
export function authoritiesOf({
  egressSecrets,
}: Partial<Pick<BoxDefinition, 'egressSecrets'>>): Pick<BoxSpec, 'authorities'> {
  return egressSecrets === undefined ? {} : { authorities: [egressSecrets.authority] };
}
