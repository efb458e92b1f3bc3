/**
 * A network of pods that no host makes, for tests of the server.
 *
 * @module
 */
import { openSync } from 'node:fs';
import type {
  NetworkReadiness,
  PodAddresses,
  PodAttachment,
  PodNetworks,
  PodPlace,
} from '../cni/pod-networks.ts';

export class FakePodNetworks implements PodNetworks {
  readonly attached = new Map<string, PodPlace>();
  configured = false;
  answer: NetworkReadiness = { ready: false, reason: 'NetworkNotConfigured', message: 'none' };
  /** What the network says of names. */
  dns: Pick<PodAddresses, 'nameservers' | 'search' | 'options'> = {
    ...{ nameservers: ['10.96.0.10'], search: [], options: [] },
  };
  /** What every pod has of IPv6. */
  ipv6: PodAddresses['ipv6'];
  /** Thrown by every `detach`. */
  stuck: Error | undefined;
  /** What a pod waits for between its tap device and its addresses; absent: nothing. */
  joining: (() => Promise<void>) | undefined;

  async readiness(): Promise<NetworkReadiness> {
    return this.answer;
  }

  async isConfigured(): Promise<boolean> {
    return this.configured;
  }

  async attach(place: PodPlace): Promise<PodAttachment> {
    this.attached.set(place.pod, place);
    const address = `10.89.0.${this.attached.size + 1}`;
    const joined = (async (): Promise<PodAddresses> => {
      await this.joining?.();
      const { ipv6 } = this;
      return {
        ...{ mtu: 1400, ...this.dns, ipv6 },
        addresses: ipv6 === undefined ? [address] : [address, ipv6.address],
        ipv4: { address, prefixLength: 24, gateway: '10.89.0.1' },
      };
    })();
    joined.catch(() => this.attached.delete(place.pod));
    return { tap: openSync('/dev/null', 'r'), joined };
  }

  async detach(pod: string): Promise<void> {
    if (this.stuck !== undefined && this.attached.has(pod)) throw this.stuck;
    this.attached.delete(pod);
  }

  async reconcile(kept: readonly string[]): Promise<void> {
    for (const pod of [...this.attached.keys()]) if (!kept.includes(pod)) await this.detach(pod);
  }
}
