/**
 * Who an administrator is: the holder of a key that the configuration names, shown by TLS.
 *
 * @module
 */
import { createHash, type X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { A3sError } from '../../errors.ts';
import type { BrokerConfig, Role } from '../config/broker-yaml.ts';

/** What a caller may be asked to be: an operator, or an administrator of a tenant with a role. */
export type Access =
  | { readonly of: 'broker' }
  | { readonly of: 'tenant'; readonly roles: readonly Role[] };

/** SHA-256 of the key of the client's certificate. TLS has shown that the client holds the key. */
export function pinOf({ socket }: IncomingMessage, now: Date): string | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return undefined;
  const { validFrom, validTo } = certificate;
  const isValid = Date.parse(validFrom) <= now.getTime() && now.getTime() <= Date.parse(validTo);
  return isValid ? keyDigest(certificate) : undefined;
}

/** Undefined for a key of a kind that Node cannot read, which no configuration names. */
function keyDigest(certificate: X509Certificate): string | undefined {
  try {
    const der = certificate.publicKey.export({ type: 'spki', format: 'der' });
    return createHash('sha256').update(der).digest('hex');
  } catch {
    return undefined;
  }
}

/**
 * The name of the caller, as it is in the audit log.
 *
 * @throws A3sError `broker-unauthenticated`, `broker-forbidden`
 */
export function authorize(
  config: Pick<BrokerConfig, 'operators' | 'tenants'>,
  pin: string | undefined,
  access: Access,
  tenant: string | undefined,
): string {
  const operator = pin === undefined ? undefined : config.operators.get(pin);
  const own = tenant === undefined ? undefined : config.tenants.get(tenant);
  const admin = pin === undefined ? undefined : own?.admins.get(pin);
  const known =
    operator !== undefined ||
    (pin !== undefined && [...config.tenants.values()].some(({ admins }) => admins.has(pin)));
  if (!known) {
    throw new A3sError('broker-unauthenticated', 'No administrator has the key of this client');
  }
  if (access.of === 'broker') {
    if (operator !== undefined) return `operator:${operator}`;
  } else if (admin !== undefined && access.roles.includes(admin.role)) {
    return `admin:${admin.name}`;
  }
  throw new A3sError('broker-forbidden', 'The role of this administrator does not permit it');
}
