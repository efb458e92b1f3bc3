/**
 * Puts pods into the network of the node by the plugins of CNI, for root.
 *
 * Each pod has a namespace of the host, in which the plugins make its device. What is known of a
 * pod is in a file of the home, which outlives a reboot: addresses that plugins have given away on
 * the disk are free again only after a DEL.
 *
 * @module
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { KeyedLock } from '../../async/keyed-lock.ts';
import { Semaphore } from '../../async/semaphore.ts';
import { A3sError } from '../../errors.ts';
import { foreignNetworks } from '../host/available.ts';
import type { NetworkLog } from '../host/host-networks.ts';
import { ifMissing } from '../host/if-missing.ts';
import { isMounted } from '../host/mount-table.ts';
import { makeNamespace, removeNamespace } from '../host/namespace.ts';
import { openTap } from '../host/tap.ts';
import {
  addToNetwork,
  type Chain,
  checkInNetwork,
  collectGarbage,
  expectPorts,
  networkStatus,
  removeFromNetwork,
} from './chain.ts';
import { type CniDirectories, NetworkList, readNetworkList } from './config.ts';
import { type CniTarget, pluginFailed } from './plugin.ts';
import { POD_DEVICE } from './pod-namespace.ts';
import type {
  NetworkReadiness,
  PodAddresses,
  PodAttachment,
  PodNetworks,
  PodPlace,
  PodPortMapping,
} from './pod-networks.ts';
import { CniResult, podAddresses } from './result.ts';
import { routePod } from './routed-pod.ts';
import { translatePod } from './translated-pod.ts';

const Known = z.strictObject({
  /** The network as it was configured when the pod came. */
  list: NetworkList,
  capabilities: z.record(z.string(), z.unknown()),
  args: z.string(),
  /** Absent: the plugins may have done a part of their work. */
  result: CniResult.optional(),
});
type Known = z.infer<typeof Known>;

const ENDING = '.json';
/** After the ending, of a file that is being written. */
const UNFINISHED = '.new';
const POD = /^[0-9a-f]{64}$/;

export interface CniPlaces extends CniDirectories {
  /** Where what is known of pods is kept, also over reboots. */
  readonly records: string;
  /** Where the namespaces are. */
  readonly namespaces: string;
}

/** How many pods are taken out or checked at once. Plugins have locks of their own. */
const AT_ONCE = 8;

/**
 * Pauses before a pod that could not be taken out is tried again; the last one counts from then on.
 */
export const RETRY_MS: readonly number[] = [5_000, 15_000, 60_000, 300_000];

export class CniNetworks implements PodNetworks {
  readonly #places: CniPlaces;
  readonly #log: NetworkLog;
  readonly #locks = new KeyedLock();
  readonly #pauses: readonly number[];
  /** The next attempts for pods that could not be taken out. */
  readonly #left = new Map<string, NodeJS.Timeout>();

  constructor(places: CniPlaces, log: NetworkLog, pauses = RETRY_MS) {
    this.#places = places;
    this.#log = log;
    this.#pauses = pauses;
  }

  async readiness(): Promise<NetworkReadiness> {
    const not = (reason: string, message: string) => ({ ready: false, reason, message });
    const host = await foreignNetworks();
    if (!host.available) return not('NetworkUnavailable', host.reason ?? '');
    try {
      const list = await readNetworkList(this.#places);
      if (list === undefined) {
        const { config } = this.#places;
        return not('NetworkNotConfigured', `no configuration of CNI is in ${config}`);
      }
      await networkStatus(this.#chain({ list, capabilities: {} }));
      return { ready: true, reason: '', message: '' };
    } catch (error) {
      if (!(error instanceof A3sError)) throw error;
      return not('NetworkUnusable', error.message);
    }
  }

  async isConfigured(): Promise<boolean> {
    return (await readNetworkList(this.#places)) !== undefined;
  }

  async attach(place: PodPlace): Promise<PodAttachment> {
    return await new Promise((resolve, reject) => {
      const joined: Promise<PodAddresses> = this.#attach(place, (tap) => resolve({ tap, joined }));
      // What comes after the tap device is for its caller.
      joined.catch(reject);
    });
  }

  /** @param opened takes the tap device, before the plugins run */
  async #attach(place: PodPlace, opened: (tap: number) => void): Promise<PodAddresses> {
    const { pod } = place;
    return await this.#locks.run(pod, async () => {
      const known = await this.#planned(place);
      await this.#takeOut(pod);
      try {
        // What a crash leaves is found by this file.
        await this.#record(pod, known);
        const namespace = this.#namespace(pod);
        await mkdir(dirname(namespace), { recursive: true, mode: 0o700 });
        await makeNamespace(namespace);
        opened(await openTap(namespace));
        const result = await addToNetwork(this.#chain(known), this.#target(pod, known));
        await this.#record(pod, { ...known, result });
        return await guestPlace(namespace, place, result);
      } catch (error) {
        await this.#takeOutLater(pod).catch((left: unknown) => this.#complain(pod, left));
        throw error;
      }
    });
  }

  async detach(pod: string): Promise<void> {
    await this.#locks.run(pod, () => this.#takeOutLater(pod));
  }

  async reconcile(kept: readonly string[]): Promise<void> {
    try {
      await this.#removeUnfinished();
      const few = new Semaphore(AT_ONCE);
      const work = (pod: string) =>
        this.#locks.run(pod, () =>
          kept.includes(pod) ? this.#check(pod) : this.#takeOutLater(pod),
        );
      const pods = await this.#pods();
      // One pod must not keep the others.
      await Promise.all(
        pods.map((pod) =>
          few.run(() => work(pod)).catch((error: unknown) => this.#complain(pod, error)),
        ),
      );
      const list = await readNetworkList(this.#places);
      if (list === undefined) return;
      const attachments = kept.map((container) => ({ container, device: POD_DEVICE }));
      await collectGarbage(this.#chain({ list, capabilities: {} }), attachments);
    } catch (error) {
      this.#log.error('the network of pods is not in order', error);
    }
  }

  async #planned(place: PodPlace): Promise<Known> {
    const list = await readNetworkList(this.#places);
    if (list === undefined) {
      const { config } = this.#places;
      throw new A3sError('network-unavailable', `No configuration of CNI is in ${config}`, {
        remedy: 'Install the network of the cluster.',
      });
    }
    const host = await foreignNetworks();
    if (!host.available) {
      throw new A3sError('network-unavailable', `Cannot make a pod’s network: ${host.reason}`, {
        remedy: 'See a3s-box info for what this host lacks.',
      });
    }
    if (place.ports.length > 0) expectPorts({ list });
    return { list, args: argsOf(place), capabilities: capabilitiesOf(place) };
  }

  async #check(pod: string): Promise<void> {
    const known = await this.#known(pod);
    if (known?.result === undefined) return;
    await checkInNetwork(this.#chain(known), this.#target(pod, known), known.result);
  }

  /**
   * Takes a pod out. Where that fails it is tried again, whether or not the caller does: nobody
   * asks for a pod whose start has failed, or whose record is gone.
   */
  async #takeOutLater(pod: string, attempt = 0): Promise<void> {
    clearTimeout(this.#left.get(pod));
    this.#left.delete(pod);
    try {
      await this.#takeOut(pod);
    } catch (error) {
      const pause = this.#pauses[Math.min(attempt, this.#pauses.length - 1)];
      const again = setTimeout(() => this.#tryAgain(pod, attempt + 1), pause);
      this.#left.set(pod, again.unref());
      throw error;
    }
  }

  #tryAgain(pod: string, attempt: number): void {
    const again = this.#locks.run(pod, async () => {
      // Another call has done it, or tries it later.
      if (!this.#left.has(pod)) return;
      await this.#takeOutLater(pod, attempt);
    });
    again.catch((error: unknown) => this.#complain(pod, error));
  }

  async #takeOut(pod: string): Promise<void> {
    const known = await this.#known(pod);
    if (known === undefined) return;
    const { result } = known;
    await removeFromNetwork(this.#chain(known), this.#target(pod, known), result);
    await removeNamespace(this.#namespace(pod));
    await rm(this.#file(pod), { force: true });
  }

  #chain({ list, capabilities }: Pick<Known, 'list' | 'capabilities'>): Chain {
    return { directory: this.#places.plugins, list, capabilities };
  }

  #target(pod: string, { args }: Known): CniTarget {
    const path = this.#namespace(pod);
    const namespace = isMounted(path) ? path : '';
    return { container: pod, namespace, device: POD_DEVICE, args };
  }

  async #record(pod: string, known: Known): Promise<void> {
    await mkdir(this.#places.records, { recursive: true, mode: 0o700 });
    const fresh = `${this.#file(pod)}${UNFINISHED}`;
    await writeFile(fresh, JSON.stringify(known), { mode: 0o600, flush: true });
    await rename(fresh, this.#file(pod));
  }

  async #known(pod: string): Promise<Known | undefined> {
    const text = await readFile(this.#file(pod), 'utf8').catch(ifMissing);
    return text === undefined ? undefined : Known.parse(JSON.parse(text));
  }

  /** Files that a server was writing when it was killed. */
  async #removeUnfinished(): Promise<void> {
    const { records } = this.#places;
    for (const name of await this.#names()) {
      if (name.endsWith(`${ENDING}${UNFINISHED}`)) await rm(join(records, name), { force: true });
    }
  }

  async #names(): Promise<string[]> {
    return (await readdir(this.#places.records).catch(ifMissing)) ?? [];
  }

  async #pods(): Promise<string[]> {
    return (await this.#names())
      .filter((name) => name.endsWith(ENDING))
      .map((name) => name.slice(0, -ENDING.length))
      .filter((name) => POD.test(name));
  }

  #complain(pod: string, error: unknown): void {
    this.#log.error('a pod is not in order in its network', error, { pod });
  }

  #file(pod: string): string {
    return join(this.#places.records, `${pod}${ENDING}`);
  }

  #namespace(pod: string): string {
    return join(this.#places.namespaces, pod);
  }
}

/** Leads from what the plugins have made to the guest. */
async function guestPlace(
  namespace: string,
  { mac, guest }: PodPlace,
  result: CniResult,
): Promise<PodAddresses> {
  const found = podAddresses(result, POD_DEVICE);
  if (found === undefined) {
    const chain = { command: 'ADD', type: 'of the network' } as const;
    throw pluginFailed(chain, 'the pod has no IPv4 address');
  }
  const { ipv4 } = found;
  // The addresses of a guest that has its own are of IPv4.
  const ipv6 = guest === undefined ? found.ipv6 : undefined;
  const { nameservers: all = [], domain, search = [], options = [] } = result.dns ?? {};
  const nameservers = all.filter((server) => isIPv4(server));
  const { address } = ipv4;
  const mtu =
    guest === undefined
      ? await routePod(namespace, { address, address6: ipv6?.address, mac })
      : await translatePod(namespace, { address, mac, guest, nameserver: nameservers[0] });
  return {
    ...{ mtu, ipv4, ipv6, options, nameservers },
    addresses: ipv6 === undefined ? [address] : [address, ipv6.address],
    search: domain === undefined || domain === '' ? search : [domain, ...search],
  };
}

/**
 * What plugins know of Kubernetes. A value with a separator would become an argument of its own.
 */
function argsOf({ pod, name, namespace, uid }: PodPlace): string {
  const values = {
    ...{ IgnoreUnknown: '1', K8S_POD_NAMESPACE: namespace, K8S_POD_NAME: name },
    ...{ K8S_POD_INFRA_CONTAINER_ID: pod, K8S_POD_UID: uid },
  };
  return Object.entries(values)
    .map(([key, value]) => {
      if (!/[;=\0]/.test(value)) return `${key}=${value}`;
      throw new A3sError('invalid-argument', `Cannot hand ${JSON.stringify(value)} to CNI`, {
        remedy: 'Use names without ; and =.',
      });
    })
    .join(';');
}

function capabilitiesOf({ ports }: PodPlace): Readonly<Record<string, unknown>> {
  if (ports.length === 0) return {};
  return { portMappings: ports.map(mapping) };
}

function mapping({ hostIp, hostPort, boxPort, protocol }: PodPortMapping) {
  return {
    hostPort,
    containerPort: boxPort,
    protocol,
    ...(hostIp === '' ? {} : { hostIP: hostIp }),
  };
}
