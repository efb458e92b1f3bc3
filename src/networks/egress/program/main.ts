/**
 * The program that serves a box's namespace where a policy limits what the box reaches: it answers
 * questions about names, and carries connections whose server's name has to be checked.
 *
 * It reads what a guest sends, and runs in a jail in that namespace, without capabilities: the
 * packet filter opens an address when this program sends a datagram that names it. It is told its
 * directory, and says `ready` once.
 *
 * @module
 */

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type Address, formatAnyAddress, readAnySubnet } from '../../address.ts';
import { readPolicy } from '../egress.ts';
import { HTTP, HTTPS, PROGRAM_PORTS } from '../packet-rules.ts';
import { askServers } from './ask-server.ts';
import { Failures } from './failures.ts';
import { REFUSALS_FILE, SETTINGS_FILE, SecretSettings, Settings } from './files.ts';
import { NameProxy } from './name-proxy.ts';
import { listenForDatagrams, questionServer } from './name-sockets.ts';
import { Pins } from './pins.ts';
import { Refusals } from './refusals.ts';
import { SecretProxy } from './secret-proxy.ts';
import { openSets } from './sets.ts';
import { connectTo, webProxy } from './web-proxy.ts';

const DNS_PORT = 53;

async function main(directory: string): Promise<void> {
  const settings = readFileSync(join(directory, SETTINGS_FILE), 'utf8');
  const { egress, inside, inside6, hasSecrets } = Settings.parse(JSON.parse(settings));
  const policies = egress.policies.map(readPolicy);
  const own = egress.ownSubnets.map(readAnySubnet);
  // Whole seconds that never go back.
  const now = (): number => Math.floor(performance.now() / 1000) + 1;
  const refusals = new Refusals(join(directory, REFUSALS_FILE), egress.policies, now);
  const refuse = refusals.add.bind(refusals);
  const failures = new Failures(process.stderr.fd, now);
  const fail = failures.add.bind(failures);
  const pins = new Pins(policies, await openSets(policies), now);
  const servers = egress.upstreams.map((address) => ({ address, port: DNS_PORT }));
  const proxy = new NameProxy({
    ...{ policies, own, namesBoxes: egress.namesBoxes, pins, refuse, fail, now },
    ipv6: inside6 !== undefined,
    boxSubnets: [egress.boxSubnet, egress.boxSubnet6].flatMap((subnet) =>
      subnet === undefined ? [] : [readAnySubnet(subnet)],
    ),
    resolve: (name, type) => askServers(servers, name, type),
  });
  const answer = proxy.answer.bind(proxy);
  const renew = proxy.renew.bind(proxy);
  const secrets = hasSecrets
    ? new SecretProxy({ ...(await readSecretSettings()), refuse, fail })
    : undefined;
  const web = (port: number, speaks: 'tls' | 'http'): Server => {
    const open = connectTo(port);
    const connect = (address: Address) => open(formatAnyAddress(address));
    return webProxy({ policies, own, pins, refuse, connect, secrets, renew }, { port, speaks });
  };
  await listenForDatagrams({ address: inside, port: PROGRAM_PORTS.names }, answer);
  await listen(questionServer(answer), inside, PROGRAM_PORTS.names);
  for (const address of inside6 === undefined ? [inside] : [inside, inside6]) {
    await listen(web(HTTPS, 'tls'), address, PROGRAM_PORTS.tls);
    await listen(web(HTTP, 'http'), address, PROGRAM_PORTS.web);
  }
  process.stdout.write('ready\n');
}

/** @throws Error without a word of what was read */
async function readSecretSettings(): Promise<SecretSettings> {
  try {
    return SecretSettings.parse(JSON.parse(await text(process.stdin)));
  } catch {
    throw new Error('its egress secrets are not what the server writes');
  }
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  server.listen({ host, port });
  await once(server, 'listening');
}

/** One line, which the server reads once the program has ended. */
function end(error: unknown): never {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

process.on('uncaughtException', end);
void main(process.argv[2] ?? '.').catch(end);
