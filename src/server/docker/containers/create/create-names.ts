/**
 * The resolver and the hosts of Docker's create document.
 *
 * @module
 */
import { isIP } from 'node:net';
import type { Names } from '../../../../boxes/record/names.ts';
import { HOST_GATEWAY } from '../../../../boxes/spec/resolver.ts';
import type { CreateBody } from '../../../../docker-api/containers/create.ts';
import { A3sError } from '../../../../errors.ts';

/** Docker's own test. The agent takes nothing that would make a second line. */
const HOST_NAME = /^[A-Za-z0-9._-]{1,253}$/;
const OPTION = /^[A-Za-z0-9:._-]{1,64}$/;

type Asked = Pick<
  NonNullable<CreateBody['HostConfig']>,
  'Dns' | 'DnsOptions' | 'DnsSearch' | 'ExtraHosts'
>;

/** @throws A3sError `invalid-argument`, in Docker's words where it has some */
export function namesOf(host: Asked): Names {
  return {
    servers: (host.Dns ?? []).map(server),
    options: (host.DnsOptions ?? []).map((option) => {
      if (OPTION.test(option)) return option;
      throw invalid(`invalid DNS option: ${shown(option)}`);
    }),
    search: (host.DnsSearch ?? []).map((domain) => {
      if (HOST_NAME.test(domain)) return domain;
      throw invalid(`${shown(domain)} is not a valid domain`);
    }),
    hosts: (host.ExtraHosts ?? []).map(extraHost),
  };
}

function server(address: string): string {
  // The zone of a link-local address means something to one host alone.
  if (isIP(address) !== 0 && !address.includes('%')) return address;
  throw invalid(`invalid IP address in Dns: ${shown(address)}`);
}

function extraHost(text: string): string {
  const colon = text.indexOf(':');
  const name = text.slice(0, Math.max(colon, 0));
  if (name === '') throw invalid(`bad format for add-host: ${JSON.stringify(shown(text))}`);
  const given = text.slice(colon + 1);
  const address = /^\[(.+)\]$/.exec(given)?.[1] ?? given;
  if (address !== HOST_GATEWAY && (isIP(address) === 0 || address.includes('%'))) {
    throw invalid(`invalid IP address in add-host: ${JSON.stringify(shown(given))}`);
  }
  if (!HOST_NAME.test(name)) {
    throw invalid(
      `bad format for add-host: ${JSON.stringify(shown(text))}: the name is no host name`,
    );
  }
  return `${name}:${address}`;
}

function shown(text: string): string {
  return text.slice(0, 128);
}

function invalid(message: string): A3sError {
  return new A3sError('invalid-argument', message);
}
