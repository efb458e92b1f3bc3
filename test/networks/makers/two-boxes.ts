/**
 * Two boxes in a network, without guests: a script of Node stands in for one.
 *
 * @module
 */
import { createServer, type Server } from 'node:net';
import type { Endpoint } from '../../../src/networks/host/endpoint.ts';
import type { Maker } from './maker.ts';

export const [web, db] = ['1', '2'].map((digit) => digit.repeat(64)) as [string, string];
export const network = {
  ...{ id: 'ab'.repeat(32), subnet: '10.89.1.0/24', gateway: '10.89.1.1' },
  ...{ internal: false, mtu: 65_520 },
};
export const kept = [web, db].map((box) => ({ box, network: network.id }));

const resolvers = [network.gateway];
const policies = [{ of: 'box' as const, default: 'deny' as const, rules: ['allow:*.test'] }];
const limits = { resolvers, upstreams: resolvers, namesBoxes: true, policies, ownSubnets: [] };
export const egress = { uid: 129_858, ...limits };

export class TwoBoxes {
  readonly #maker: () => Maker;

  constructor(maker: () => Maker) {
    this.#maker = maker;
  }

  place(box: string, more: Partial<Endpoint> = {}): Endpoint {
    const last = box === web ? 2 : 3;
    return {
      ...{ box, names: [box === web ? 'web' : 'db'], network, ports: [] },
      ...{ address: `10.89.1.${last}`, mac: `02:00:0a:59:01:0${last}`, ...more },
    };
  }

  attach(box: string, more: Partial<Endpoint> = {}): Promise<unknown> {
    return this.#maker().ask({ ask: 'attach', endpoint: this.place(box, more) });
  }

  /** Of a box, in the first network. */
  namespace(box: string): string {
    return `${box}.abababababab`;
  }

  /** Gives a box's namespace the box's address, in place of its guest. */
  async standIn(box: string): Promise<void> {
    const { address } = this.place(box);
    const inside = (...command: string[]): Promise<string> =>
      this.#maker().inside(this.namespace(box), ...command);
    await inside('ip', 'addr', 'replace', `${address}/32`, 'dev', 'lo');
    for (const way of [network.subnet, `default via ${network.gateway}`]) {
      const route = `${way} dev eth0 src ${address}`.split(' ');
      await inside('ip', 'route', 'replace', ...route);
    }
  }

  /** Runs a script of Node there. */
  async asGuest(box: string, script: string): Promise<string> {
    await this.standIn(box);
    const run = [process.execPath, '-e', script];
    return (await this.#maker().inside(this.namespace(box), ...run)).trim();
  }

  lookUp(box: string, name: string): Promise<string> {
    return this.asGuest(
      box,
      `const resolver = new (require('node:dns').Resolver)({ timeout: 2000, tries: 1 });
       resolver.setServers(['${network.gateway}']);
       resolver.resolve4('${name}', (error, all) => console.log(error?.code ?? all.join()));`,
    );
  }
}

export async function listening(): Promise<{ server: Server; port: number }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, port: (server.address() as { port: number }).port };
}

/** A port of the host that is free, for port 80. */
export async function freely() {
  const { server, port: hostPort } = await listening();
  await new Promise((resolve) => server.close(resolve));
  return { hostIp: '127.0.0.1', hostPort, boxPort: 80, protocol: 'tcp' as const };
}
