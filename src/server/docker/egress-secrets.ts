/**
 * Turns the field `EgressSecrets` of a create document into what a box is asked for, and back.
 *
 * @module
 */
import { hostName } from '@a3s-box/policies/network-policy';
import type * as z from 'zod';
import type { EgressSecretBody, EgressSecretShown } from '../../docker-api/a3s/egress.ts';
import { A3sError } from '../../errors.ts';
import {
  type AskedSecret,
  type EgressSecret,
  mayHoldSecret,
} from '../../networks/egress/secrets.ts';

/** @throws A3sError `invalid-argument` */
export function egressSecrets(
  asked: readonly z.output<typeof EgressSecretBody>[] | undefined,
): AskedSecret[] | undefined {
  if (asked === undefined || asked.length === 0) return undefined;
  const names = new Set<string>();
  return asked.map(({ Name: name, Value: value, Host, Header }) => {
    const refused = (why: string): A3sError =>
      new A3sError('invalid-argument', `Cannot use the egress secret ${name}: ${why}`, {
        remedy: 'Write it as NAME=@FILE,host=api.example.com,header=Authorization.',
      });
    if (names.has(name)) throw refused('there are two of this name');
    names.add(name);
    const host = hostName(Host);
    if (host === undefined) throw refused('its host is not the name of a host');
    const header = Header.toLowerCase();
    if (!mayHoldSecret(header)) {
      throw refused(`the header ${Header} is not one that it can be in`);
    }
    return { name, value, host, header };
  });
}

export function showEgressSecrets(secrets: readonly EgressSecret[] = []): EgressSecretShown[] {
  return secrets.map(({ name, host, header }) => ({ Name: name, Host: host, Header: header }));
}
