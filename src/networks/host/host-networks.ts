/**
 * User-defined networks on the host, for root.
 *
 * One namespace, the holder, has the bridges of all networks of a home, their DNS server, and one
 * pasta as the way out. Each box has a namespace of its own for each network that it is in, in
 * which its packets are checked and routed between a tap device and the network. The host's own
 * interfaces and firewall are not touched. All of it outlives the server, and the holder ends with
 * the last box.
 *
 * @module
 */
import { closeSync, existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KeyedLock } from '../../async/keyed-lock.ts';
import { A3sError } from '../../errors.ts';
import type { UserNetworks } from '../network.ts';
import { userNetworks } from './available.ts';
import { Endpoint } from './endpoint.ts';
import { ifMissing } from './if-missing.ts';
import {
  endNameServer,
  ensureNameServer,
  forgetEndedServer,
  NAME_SERVER_SETTING,
  prepareNameServer,
} from './name-server.ts';
import {
  inNamespace,
  isMounted,
  makeNamespace,
  removeNamespace,
  writeSettings,
} from './namespace.ts';
import { netavarkDocument, netavarkSetup, netavarkTeardown } from './netavark.ts';
import { endPasta, isServing, routeByGateway, startPublishing, startWayOut } from './pasta.ts';
import { loadRules, routeBox, routePublished } from './routed.ts';
import { runProgram } from './run-program.ts';
import { openTap } from './tap.ts';

/** One change at a time: netavark, the holder's life and the files belong together. */
const LOCK = 'host-networks';
const ENDPOINT = '.json';

/**
 * A box reaches the DNS server at the address of its own network, and no other address of the
 * holder. The rules are loaded as a whole, in place of those that are there.
 */
const HOLDER_RULES = `table inet holder {}
delete table inet holder
table inet holder {
chain to_holder { type filter hook input priority filter; policy accept;
iifname "br*" fib daddr . iif type != local drop
}
}
`;

/** What the host makes of networks. */
export interface HostNetworks {
  /**
   * Whether this host can make networks. It is asked before each start, since a program may be
   * installed meanwhile.
   */
  availability(): Promise<UserNetworks>;
  /**
   * Puts a box into a network, anew where it is there already.
   *
   * @returns the descriptor of its tap device, which the caller closes
   * @throws A3sError `network-failed`, `port-in-use`, `tool-missing`
   */
  attach(endpoint: Endpoint): Promise<number>;
  /**
   * Publishes the ports of a box that is in this network, in place of those that it has there.
   *
   * @throws A3sError `network-failed`, `port-in-use`, `tool-missing`
   */
  publish(endpoint: Endpoint): Promise<void>;
  /**
   * Takes a box out of a network, or out of all of them. Nothing happens where it is in none.
   *
   * @param network its id; undefined: all
   */
  detach(box: string, network?: string): Promise<void>;
  /**
   * Takes all other boxes out of their networks, and starts again what has ended.
   *
   * @param kept the places that boxes still have
   */
  reconcile(kept: readonly Place[]): Promise<void>;
  /**
   * Starts again what serves boxes in their networks and has ended: the way out, the DNS server,
   * and published ports. Never rejects: what cannot be repaired is tried again the next time.
   */
  repair(): Promise<void>;
}

/** The place of a box in a network, by their ids. */
export interface Place {
  readonly box: string;
  readonly network: string;
}

/** Where failures go that keep nobody from going on. */
export interface NetworkLog {
  error(message: string, error: unknown, fields?: Readonly<Record<string, unknown>>): void;
}

/** Makes networks below a directory that root alone may enter. */
export class NamespaceNetworks implements HostNetworks {
  readonly #directory: string;
  readonly #log: NetworkLog;
  readonly #locks = new KeyedLock();
  /** What could not be repaired the last time, so that it is in the log once. */
  readonly #broken = new Set<string>();

  constructor(directory: string, log: NetworkLog) {
    this.#directory = directory;
    this.#log = log;
  }

  availability(): Promise<UserNetworks> {
    return userNetworks();
  }

  attach(endpoint: Endpoint): Promise<number> {
    return this.#locks.run(LOCK, async () => {
      const key = keyOf(endpoint.box, endpoint.network.id);
      const document = netavarkDocument(endpoint);
      await this.#detach(key);
      try {
        await this.#ensureHolder();
        return await this.#attach(key, endpoint, document);
      } catch (error) {
        await this.#undo(key);
        throw error;
      }
    });
  }

  publish(endpoint: Endpoint): Promise<void> {
    return this.#locks.run(LOCK, async () => {
      const key = keyOf(endpoint.box, endpoint.network.id);
      // Its run has ended meanwhile, and nothing would take away what is made now.
      if ((await this.#recorded(key)) === undefined) throw notThere(endpoint);
      const namespace = this.#path(key);
      await endPasta(namespace, `${namespace}.pid`);
      // A repair publishes nothing that could not be published here.
      await this.#record(namespace, { ...endpoint, ports: [] });
      await loadRules(namespace, endpoint);
      await this.#publish(namespace, endpoint);
      await this.#record(namespace, endpoint);
    });
  }

  detach(box: string, network?: string): Promise<void> {
    return this.#locks.run(LOCK, async () => {
      const keys = await this.#keys();
      const wanted = network === undefined ? `${box}.` : keyOf(box, network);
      for (const key of keys) if (key.startsWith(wanted)) await this.#detach(key);
      await this.#endHolderIfUnused();
    });
  }

  reconcile(kept: readonly Place[]): Promise<void> {
    return this.#locks.run(LOCK, async () => {
      const keep = new Set(kept.map(({ box, network }) => keyOf(box, network)));
      for (const key of await this.#keys()) {
        if (keep.has(key)) continue;
        // One box must not keep the others from their network.
        await this.#detach(key).catch((error: unknown) => this.#complain(key, error));
      }
      await this.#endHolderIfUnused();
      await this.#repairAll();
    });
  }

  async repair(): Promise<void> {
    // Most servers have no box in such a network.
    if (!existsSync(this.#directory)) return;
    await this.#locks.run(LOCK, () => this.#mend('networks', () => this.#repairAll()));
  }

  async #repairAll(): Promise<void> {
    const keys = await this.#keys();
    if (keys.length === 0) return;
    const { holder, pidFile } = this.#place();
    if (!isMounted(holder) || !isServing(holder, pidFile)) {
      await this.#mend('the way out of networks', () => this.#ensureHolder());
    }
    await this.#mend('the DNS server of networks', () => ensureNameServer(this.#place()));
    for (const key of keys) await this.#mend(`ports of ${key}`, () => this.#ensurePublished(key));
  }

  async #mend(what: string, repair: () => Promise<void>): Promise<void> {
    try {
      await repair();
      this.#broken.delete(what);
    } catch (error) {
      if (!this.#broken.has(what)) this.#log.error('networks are not in order', error, { what });
      this.#broken.add(what);
    }
  }

  async #ensurePublished(key: string): Promise<void> {
    const namespace = this.#path(key);
    const endpoint = await this.#recorded(key);
    if (endpoint === undefined || endpoint.ports.length === 0) return;
    if (isServing(namespace, `${namespace}.pid`)) return;
    await endPasta(namespace, `${namespace}.pid`);
    await this.#publish(namespace, endpoint);
  }

  async #record(namespace: string, endpoint: Endpoint): Promise<void> {
    // Whole or not at all: what is in it is needed to take the box out again.
    const fresh = `${namespace}.new`;
    await writeFile(fresh, JSON.stringify(endpoint), { mode: 0o600 });
    await rename(fresh, `${namespace}${ENDPOINT}`);
  }

  async #recorded(key: string): Promise<Endpoint | undefined> {
    const text = await readFile(this.#path(key, ENDPOINT), 'utf8').catch(ifMissing);
    return text === undefined ? undefined : parseEndpoint(text);
  }

  #complain(key: string, error: unknown): void {
    const [box = key] = key.split('.');
    this.#log.error('a box was not taken out of a network', error, { box });
  }

  /** Never rejects: the reason why the box is not in its network counts. */
  async #undo(key: string): Promise<void> {
    try {
      await this.#detach(key);
      await this.#endHolderIfUnused();
    } catch (error) {
      this.#complain(key, error);
    }
  }

  async #attach(key: string, endpoint: Endpoint, document: string): Promise<number> {
    const namespace = this.#path(key);
    // What a crash leaves is found by this file.
    await this.#record(namespace, endpoint);
    await makeNamespace(namespace);
    await forgetEndedServer(this.#place());
    await netavarkSetup(this.#place(), document, namespace);
    await ensureNameServer(this.#place());
    const tap = await openTap(namespace);
    try {
      await routeBox(namespace, endpoint);
      await this.#publish(namespace, endpoint);
      return tap;
    } catch (error) {
      closeSync(tap);
      throw error;
    }
  }

  async #publish(namespace: string, { ports, network: { mtu } }: Endpoint): Promise<void> {
    if (ports.length === 0) return;
    const pidFile = `${namespace}.pid`;
    await startPublishing(namespace, pidFile, ports, mtu);
    try {
      await routePublished(namespace, mtu);
    } catch (error) {
      // While it runs, a repair takes the ports for published.
      await endPasta(namespace, pidFile);
      throw error;
    }
  }

  async #detach(key: string): Promise<void> {
    const file = this.#path(key, ENDPOINT);
    const text = await readFile(file, 'utf8').catch(ifMissing);
    if (text === undefined) return;
    const endpoint = parseEndpoint(text);
    const namespace = this.#path(key);
    await endPasta(namespace, `${namespace}.pid`);
    // Without the holder there is no bridge to leave.
    const mounted = isMounted(namespace) && isMounted(this.#place().holder);
    if (mounted && endpoint !== undefined) {
      const document = netavarkDocument(endpoint);
      await forgetEndedServer(this.#place());
      // The devices end with the namespace. What else may be left ends with the holder.
      await netavarkTeardown(this.#place(), document, namespace).catch((error: unknown) =>
        this.#complain(key, error),
      );
    }
    await removeNamespace(namespace);
    await rm(file, { force: true });
  }

  async #ensureHolder(): Promise<void> {
    // The DNS server is no root, and has to come to its directory.
    const files = join(this.#directory, 'netavark');
    await mkdir(files, { recursive: true });
    // Whatever the umask of this process.
    for (const path of [this.#directory, files]) await chmod(path, 0o711);
    await prepareNameServer(this.#place());
    const { holder, pidFile } = this.#place();
    if (!isMounted(holder)) await makeNamespace(holder);
    // A set-up that failed half-way has left the namespace without rules or routes.
    await runProgram('nft', ['-f', '-'], { namespace: holder, input: HOLDER_RULES });
    await inNamespace(holder, () => writeSettings('ipv4', NAME_SERVER_SETTING));
    if (!isServing(holder, pidFile)) await startWayOut(holder, pidFile);
    await routeByGateway(holder);
  }

  async #endHolderIfUnused(): Promise<void> {
    if ((await this.#keys()).length > 0) return;
    const { holder, pidFile } = this.#place();
    endNameServer(this.#place());
    await endPasta(holder, pidFile);
    await removeNamespace(holder);
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** Of all places of boxes. */
  async #keys(): Promise<string[]> {
    const names = (await readdir(this.#directory).catch(ifMissing)) ?? [];
    return names.flatMap((name) =>
      name.endsWith(ENDPOINT) ? [name.slice(0, -ENDPOINT.length)] : [],
    );
  }

  #place(): { directory: string; holder: string; pidFile: string } {
    const directory = this.#directory;
    return { directory, holder: join(directory, 'holder'), pidFile: join(directory, 'holder.pid') };
  }

  #path(key: string, suffix = ''): string {
    return join(this.#directory, `${key}${suffix}`);
  }
}

function notThere({ box, network }: Endpoint): A3sError {
  return new A3sError(
    'network-failed',
    `Cannot publish ports of ${box.slice(0, 12)}: it is not in the network ${network.id.slice(0, 12)} any more`,
    { remedy: 'Start the box again.' },
  );
}

/** Undefined where a later version wrote it: the namespace is removed all the same. */
function parseEndpoint(text: string): Endpoint | undefined {
  try {
    return Endpoint.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Names the files of a box's place in a network: its namespace has this name. */
function keyOf(box: string, network: string): string {
  return `${box}.${network.slice(0, 12)}`;
}
