/**
 * Networks that no host makes, for tests of the server.
 *
 * @module
 */
import { openSync } from 'node:fs';
import type { Endpoint } from '../host/endpoint.ts';
import type { HostNetworks } from '../host/host-networks.ts';
import type { UserNetworks } from '../network.ts';

export class FakeHostNetworks implements HostNetworks {
  /** The boxes that are in a network, by their ids. */
  readonly attached = new Map<string, Endpoint>();
  /** What the host says of itself. */
  answer: UserNetworks = { available: true, reason: undefined };
  /** Thrown by the next `attach`. */
  failure: Error | undefined;

  async availability(): Promise<UserNetworks> {
    return this.answer;
  }

  async attach(endpoint: Endpoint): Promise<number> {
    const { failure } = this;
    this.failure = undefined;
    if (failure !== undefined) throw failure;
    this.attached.set(endpoint.box, endpoint);
    return openSync('/dev/null', 'r');
  }

  async detach(box: string): Promise<void> {
    this.attached.delete(box);
  }

  async reconcile(boxes: ReadonlySet<string>): Promise<void> {
    for (const box of this.attached.keys()) if (!boxes.has(box)) this.attached.delete(box);
  }
}
