/**
 * Networks that no host makes, for tests of the server.
 *
 * @module
 */
import { openSync } from 'node:fs';
import type { Endpoint } from '../host/endpoint.ts';
import type { Attachment, Place } from '../host/host-networks.ts';
import type { BoxRefusal } from '../host/limit-box.ts';
import type { UserNetworks } from '../network.ts';
import type { RelayedPort } from '../relay/relayed-port.ts';
import type { RelayedNetworks } from '../relay/relaying-networks.ts';

export class FakeHostNetworks implements RelayedNetworks {
  readonly #places: Endpoint[] = [];
  /** What the host says of itself. */
  answer: UserNetworks = { available: true, reason: undefined };
  /** Thrown by the next `attach`. */
  failure: Error | undefined;
  /** How the next place becomes whole. */
  making: (() => Promise<void>) | undefined;
  /** Thrown by every `publish`. */
  taken: Error | undefined;
  /** Thrown by every `detach` of one network. */
  stuck: Error | undefined;

  /** The first place of each box that is in a network, by the ids of the boxes. */
  get attached(): ReadonlyMap<string, Endpoint> {
    return new Map([...this.#places].reverse().map((place) => [place.box, place]));
  }

  /** All places of a box, in the order in which it got them. */
  placesOf(box: string): readonly Endpoint[] {
    return this.#places.filter((place) => place.box === box);
  }

  async availability(): Promise<UserNetworks> {
    return this.answer;
  }

  async attach(endpoint: Endpoint): Promise<Attachment> {
    const { failure, making = () => Promise.resolve() } = this;
    this.failure = undefined;
    this.making = undefined;
    if (failure !== undefined) throw failure;
    await this.detach(endpoint.box, endpoint.network.id);
    this.#places.push(endpoint);
    const whole = making();
    whole.catch(() => undefined);
    return { tap: openSync('/dev/null', 'r'), whole };
  }

  async publish(endpoint: Endpoint): Promise<void> {
    if (this.taken !== undefined) throw this.taken;
    const { box, network } = endpoint;
    const at = this.#places.findIndex((each) => each.box === box && each.network.id === network.id);
    if (at < 0) throw new Error(`${box} is not in ${network.id}`);
    this.#places[at] = endpoint;
  }

  async detach(box: string, network?: string): Promise<void> {
    if (this.stuck !== undefined && network !== undefined) throw this.stuck;
    this.#keep((each) => each.box !== box || (network ?? each.network.id) !== each.network.id);
  }

  async reconcile(kept: readonly Place[]): Promise<void> {
    this.#keep((each) =>
      kept.some(({ box, network }) => each.box === box && each.network.id === network),
    );
  }

  /** By the ids of boxes. */
  readonly relayed = new Map<string, readonly RelayedPort[]>();

  async relay(box: string, ports: readonly RelayedPort[]): Promise<void> {
    if (ports.length === 0) this.relayed.delete(box);
    else this.relayed.set(box, ports);
  }

  async reconcileRelays(wanted: ReadonlyMap<string, readonly RelayedPort[]>): Promise<void> {
    this.relayed.clear();
    for (const [box, ports] of wanted) await this.relay(box, ports);
  }

  async repair(): Promise<void> {}

  /** What the next `refusals` returns. */
  refused: BoxRefusal[] = [];

  async refusals(): Promise<readonly BoxRefusal[]> {
    return this.refused.splice(0);
  }

  #keep(test: (place: Endpoint) => boolean): void {
    this.#places.splice(0, this.#places.length, ...this.#places.filter(test));
  }
}
