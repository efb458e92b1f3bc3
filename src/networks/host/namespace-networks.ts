/**
 * User-defined networks on the host, for root, and for the root of a user namespace.
 *
 * One namespace, the holder, has the bridges of all networks of a home, their DNS server, and one
 * pasta as the way out. Each box has a namespace of its own for each network that it is in, in
 * which its packets are checked and routed between a tap device and the network. The host's own
 * interfaces and firewall are not touched. All of it outlives the server, and the holder ends with
 * the last box.
 *
 * @module
 */
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KeyedLock } from '../../async/keyed-lock.ts';
import { A3sError } from '../../errors.ts';
import { NAME_SERVER_IDENTITY } from '../../jail/identity.ts';
import type { JailIdentity } from '../../jail/jail.ts';
import { stopEgressProgram } from '../egress/host-program.ts';
import type { UserNetworks } from '../network.ts';
import { BRIDGE } from '../predefined.ts';
import { userNetworks } from './available.ts';
import { EgressPrograms } from './egress-programs.ts';
import { endOrphans } from './end-orphans.ts';
import { Endpoint } from './endpoint.ts';
import { HOLDER_RULES } from './holder-rules.ts';
import type { Attachment, HostNetworks, NetworkLog, Place } from './host-networks.ts';
import { ifMissing } from './if-missing.ts';
import {
  type BoxRefusal,
  type LimitingProgram,
  limitingRules,
  RefusalReader,
} from './limit-box.ts';
import { isMounted } from './mount-table.ts';
import {
  endNameServer,
  ensureNameServer,
  forgetBox,
  forgetEndedServer,
  NAME_SERVER_SETTING,
  type NameServerPlace,
  prepareNameServer,
} from './names/name-server.ts';
import { makeNamespace, removeNamespace, writeSettings } from './namespace.ts';
import { netavarkDocument, netavarkSetup, netavarkTeardown } from './netavark.ts';
import {
  endPasta,
  isServing,
  routeByGateway,
  startOwnWayOut,
  startPublishing,
  startWayOut,
} from './pasta.ts';
import { hasPorts6 } from './published.ts';
import { loadRules, routeBox, routePublished, routeUplink } from './routed.ts';
import { routePublished6 } from './routed6.ts';
import { ownerOfNetworks } from './run-pasta.ts';
import { runProgram } from './run-program.ts';
import { openTap } from './tap.ts';

/** One change at a time: netavark, the holder's life and the files belong together. */
const LOCK = 'host-networks';
const ENDPOINT = '.json';

/** Makes networks below a directory that root alone may enter. */
export class NamespaceNetworks implements HostNetworks {
  readonly #directory: string;
  readonly #log: NetworkLog;
  readonly #programs: EgressPrograms;
  readonly #nameServer: JailIdentity | undefined;
  readonly #refusals = new RefusalReader();
  readonly #locks = new KeyedLock();
  /** Whether what an earlier server was changing has been ended. */
  #endedOrphans = false;
  /** What could not be repaired the last time, so that it is in the log once. */
  readonly #broken = new Set<string>();

  /**
   * @param program serves limited boxes
   * @param user what this process is: the root of a namespace can be no other user
   */
  constructor(
    directory: string,
    log: NetworkLog,
    program: LimitingProgram,
    user: 'root' | 'root-of-namespace' = 'root',
  ) {
    this.#directory = directory;
    this.#log = log;
    this.#nameServer = user === 'root' ? NAME_SERVER_IDENTITY : undefined;
    this.#programs = new EgressPrograms(program, log);
  }

  availability(): Promise<UserNetworks> {
    return userNetworks();
  }

  async attach(endpoint: Endpoint): Promise<Attachment> {
    return await new Promise((resolve, reject) => {
      const whole: Promise<void> = this.#attach(endpoint, (tap) => resolve({ tap, whole }));
      // What comes after the tap device is for its caller.
      whole.catch(reject);
    });
  }

  /**
   * @param opened takes the tap device, as soon as nothing but the way to the network is missing
   */
  async #attach(endpoint: Endpoint, opened: (tap: number) => void): Promise<void> {
    const key = keyOf(endpoint.box, endpoint.network.id);
    await this.#change(async () => {
      const document = netavarkDocument(endpoint);
      await this.#detach(key);
      try {
        opened(await this.#open(key, endpoint));
        await this.#join(key, endpoint, document);
      } catch (error) {
        await this.#undo(key);
        throw error;
      }
    });
    try {
      // It takes long, and other boxes do not wait for it. Without it, nothing is open.
      await this.#programs.start(this.#path(key), () => this.#recorded(key));
    } catch (error) {
      await this.#change(() => this.#undo(key));
      throw error;
    }
  }

  publish(endpoint: Endpoint): Promise<void> {
    return this.#change(async () => {
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
    return this.#change(() => this.#leave(network === undefined ? `${box}.` : keyOf(box, network)));
  }

  async reconcile(kept: readonly Place[]): Promise<void> {
    await this.#change(async () => {
      const keep = new Set(kept.map(({ box, network }) => keyOf(box, network)));
      for (const key of await this.#keys()) {
        if (keep.has(key)) continue;
        // One box must not keep the others from their network.
        await this.#detach(key).catch((error: unknown) => this.#complain(key, error));
      }
      await this.#endHolderIfUnused();
      await this.#repairAll();
    });
    await this.#repairPrograms();
  }

  async repair(): Promise<void> {
    // Most servers have no box in such a network.
    if (!existsSync(this.#directory)) return;
    await this.#mend('networks', () => this.#change(() => this.#repairAll()));
    await this.#mend('limits of boxes', () => this.#repairPrograms());
  }

  /** Two programs run for each limited place, so that nothing else may wait for it. */
  async refusals(): Promise<readonly BoxRefusal[]> {
    const found: BoxRefusal[] = [];
    for (const key of await this.#keys()) {
      await this.#programs.hold(this.#path(key), async () => {
        const endpoint = await this.#recorded(key);
        if (endpoint === undefined) return;
        await this.#mend(`refusals of ${key}`, async () => {
          found.push(...(await this.#refusals.read(this.#path(key), endpoint)));
        });
      });
    }
    return found;
  }

  /** Before the first one, what an earlier server was changing is ended. */
  async #change<T>(work: () => Promise<T>): Promise<T> {
    return await this.#locks.run(LOCK, async () => {
      if (!this.#endedOrphans) await endOrphans(this.#place());
      this.#endedOrphans = true;
      return await work();
    });
  }

  async #repairPrograms(): Promise<void> {
    const keys = await this.#keys();
    const repair = (key: string) =>
      this.#programs.repair(this.#path(key), () => this.#recorded(key));
    await Promise.all(keys.map((key) => this.#mend(`the program of ${key}`, () => repair(key))));
  }

  async #repairAll(): Promise<void> {
    const keys = await this.#keys();
    if (keys.length === 0) return;
    const { holder, pidFile } = this.#place();
    if (!keys.every(isOwnKey)) {
      if (!isMounted(holder) || !isServing(holder, pidFile)) {
        await this.#mend('the way out of networks', () => this.#ensureHolder());
      }
      await this.#mend('the DNS server of networks', () => ensureNameServer(this.#place()));
    }
    for (const key of keys) await this.#mend(`processes of ${key}`, () => this.#ensureServed(key));
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

  async #ensureServed(key: string): Promise<void> {
    const namespace = this.#path(key);
    const endpoint = await this.#recorded(key);
    if (endpoint === undefined) return;
    if (isOwnKey(key) && !isServing(namespace, wayOutOf(namespace))) {
      await this.#startOwn(namespace, endpoint);
      await routeUplink(namespace, endpoint.network);
    }
    if (endpoint.ports.length === 0) return;
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
      await this.#leave(key);
    } catch (error) {
      this.#complain(key, error);
    }
  }

  /** Takes boxes out of networks, by what the keys of these places begin with. */
  async #leave(wanted: string): Promise<void> {
    const keys = await this.#keys();
    const isWanted = (key: string): boolean => key.startsWith(wanted);
    const endsHolder = keys.every((key) => isWanted(key) || isOwnKey(key));
    for (const key of keys.filter(isWanted)) await this.#detach(key, endsHolder);
    await this.#endHolderIfUnused();
  }

  /** Makes the namespace, with its rules before anything else, and what may fail by a port. */
  async #open(key: string, endpoint: Endpoint): Promise<number> {
    const namespace = this.#path(key);
    await this.#ensureDirectory();
    // What a crash leaves is found by this file.
    await this.#record(namespace, endpoint);
    const { egress } = endpoint;
    const known = egress === undefined ? [] : [egress.uid];
    await makeNamespace(namespace, await ownerOfNetworks(known));
    await loadRules(namespace, endpoint, limitingRules(endpoint));
    await this.#publish(namespace, endpoint);
    return await openTap(namespace);
  }

  /** Joins the namespace to its network. Until it is done, the tap device is down. */
  async #join(key: string, endpoint: Endpoint, document: string): Promise<void> {
    const namespace = this.#path(key);
    if (isOwnKey(key)) {
      await this.#startOwn(namespace, endpoint);
    } else {
      await this.#ensureHolder();
      await forgetEndedServer(this.#place());
      await netavarkSetup(this.#place(), document, namespace);
      await ensureNameServer(this.#place());
    }
    await routeBox(namespace, endpoint);
  }

  async #startOwn(namespace: string, endpoint: Endpoint): Promise<void> {
    const pidFile = wayOutOf(namespace);
    await endPasta(namespace, pidFile);
    await startOwnWayOut(namespace, pidFile, endpoint);
  }

  async #publish(namespace: string, endpoint: Endpoint): Promise<void> {
    const { ports, network } = endpoint;
    const { mtu } = network;
    if (ports.length === 0) return;
    const pidFile = `${namespace}.pid`;
    await startPublishing(namespace, pidFile, ports, mtu);
    try {
      await routePublished(namespace, mtu);
      if (hasPorts6(ports)) await routePublished6(namespace);
    } catch (error) {
      // While it runs, a repair takes the ports for published.
      await endPasta(namespace, pidFile);
      throw error;
    }
  }

  /** @param endsHolder whether the caller ends the holder next, and with it bridges and rules */
  async #detach(key: string, endsHolder = false): Promise<void> {
    await this.#programs.leave(this.#path(key), () => this.#takeOut(key, endsHolder));
  }

  async #takeOut(key: string, endsHolder: boolean): Promise<void> {
    const file = this.#path(key, ENDPOINT);
    const text = await readFile(file, 'utf8').catch(ifMissing);
    if (text === undefined) return;
    const endpoint = parseEndpoint(text);
    const namespace = this.#path(key);
    for (const pidFile of [`${namespace}.pid`, wayOutOf(namespace)]) {
      await endPasta(namespace, pidFile);
    }
    await stopEgressProgram(namespace);
    this.#refusals.forget(namespace);
    // Without the holder there is no bridge to leave.
    const mounted = isMounted(namespace) && isMounted(this.#place().holder);
    if (mounted && endpoint !== undefined && !isOwnKey(key) && !endsHolder) {
      const document = netavarkDocument(endpoint);
      await forgetEndedServer(this.#place());
      // The devices end with the namespace. What else may be left ends with the holder.
      await netavarkTeardown(this.#place(), document, namespace).catch((error: unknown) =>
        this.#complain(key, error),
      );
    }
    if (endpoint !== undefined && !isOwnKey(key)) {
      const place = { box: endpoint.box, network: endpoint.network.id };
      await forgetBox(this.#place(), place).catch((error: unknown) => this.#complain(key, error));
    }
    await removeNamespace(namespace);
    await rm(file, { force: true });
  }

  /** Programs that are no root's have to come to their directories. */
  async #ensureDirectory(...more: readonly string[]): Promise<void> {
    const directory = join(this.#directory, ...more);
    await mkdir(directory, { recursive: true });
    // Whatever the umask of this process.
    for (const path of [this.#directory, directory]) await chmod(path, 0o711);
  }

  async #ensureHolder(): Promise<void> {
    await this.#ensureDirectory('netavark');
    await prepareNameServer(this.#place());
    const { holder, pidFile } = this.#place();
    if (!isMounted(holder)) await makeNamespace(holder, await ownerOfNetworks([]));
    // A set-up that failed half-way has left the namespace without rules or routes.
    await runProgram('nft', ['-f', '-'], { namespace: holder, input: HOLDER_RULES });
    await writeSettings(holder, { ipv4: NAME_SERVER_SETTING });
    if (!isServing(holder, pidFile)) await startWayOut(holder, pidFile);
    await routeByGateway(holder);
  }

  async #endHolderIfUnused(): Promise<void> {
    const keys = await this.#keys();
    if (!keys.every(isOwnKey)) return;
    const { holder, pidFile } = this.#place();
    endNameServer(this.#place());
    await endPasta(holder, pidFile);
    await removeNamespace(holder);
    if (keys.length > 0) return;
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** Of all places of boxes. */
  async #keys(): Promise<string[]> {
    const names = (await readdir(this.#directory).catch(ifMissing)) ?? [];
    return names.flatMap((name) =>
      name.endsWith(ENDPOINT) ? [name.slice(0, -ENDPOINT.length)] : [],
    );
  }

  #place(): NameServerPlace & { pidFile: string } {
    const [directory, identity] = [this.#directory, this.#nameServer];
    const holder = join(directory, 'holder');
    return { directory, identity, holder, pidFile: join(directory, 'holder.pid') };
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

/** Whether the place is in the network that a box has to itself. */
function isOwnKey(key: string): boolean {
  return key.endsWith(`.${BRIDGE.id.slice(0, 12)}`);
}

/** The file of the pasta that leads out of a network that a box has to itself. */
function wayOutOf(namespace: string): string {
  return `${namespace}.out.pid`;
}

/** Names the files of a box's place in a network: its namespace has this name. */
function keyOf(box: string, network: string): string {
  return `${box}.${network.slice(0, 12)}`;
}
