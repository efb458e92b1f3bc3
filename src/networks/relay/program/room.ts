/**
 * The room that the connections of all ports share. Where it is full, a client that has less of it
 * than others takes a place of theirs: nobody keeps others out by having many connections.
 *
 * @module
 */
import { networkOf } from './client-network.ts';

interface Place {
  /** Ends the connection. */
  readonly reset: () => void;
}

/** By the address of the client, the place that came last at the end. */
type Network = Map<string, Set<Place>>;

export class Room {
  #free: number;
  readonly #networks = new Map<string, Network>();

  /** @param size how many connections all ports have together */
  constructor(size: number) {
    this.#free = size;
  }

  /**
   * Gives a connection of a client a place. Where all are taken, the one that came last of the
   * network with most of them is reset for a client of one with fewer; in one network, that of the
   * address with most of them.
   *
   * @param address of the client; undefined: it is gone
   * @returns what leaves the place; undefined: the client has as many as others, and gets none
   */
  enter(address: string | undefined, reset: () => void): (() => void) | undefined {
    if (address === undefined) return undefined;
    const network = networkOf(address);
    if (this.#free === 0 && !this.#makeRoom(network, address)) return undefined;
    const place = { reset };
    const places = this.#networks.get(network) ?? new Map<string, Set<Place>>();
    this.#networks.set(network, places);
    places.set(address, (places.get(address) ?? new Set()).add(place));
    this.#free -= 1;
    return () => this.#leave(network, address, place);
  }

  #makeRoom(own: string, address: string): boolean {
    const [largestNetwork, most] = largest(this.#networks, sizeOf);
    const ofOwn = sizeOf(this.#networks.get(own));
    // One that came to have as many would be next to lose it.
    const network = most <= ofOwn + 1 ? own : largestNetwork;
    if (network === undefined) return false;
    const places = this.#networks.get(network);
    const [other, mostOfOther] = largest(places ?? new Map(), ({ size }) => size);
    const ofAddress = places?.get(address)?.size ?? 0;
    if (other === undefined || (network === own && mostOfOther <= ofAddress + 1)) return false;
    const last = [...(places?.get(other) ?? [])].at(-1);
    if (last === undefined) return false;
    this.#leave(network, other, last);
    last.reset();
    return true;
  }

  #leave(network: string, address: string, place: Place): void {
    const places = this.#networks.get(network);
    const ofAddress = places?.get(address);
    // It was taken for another client.
    if (ofAddress?.delete(place) !== true) return;
    this.#free += 1;
    if (ofAddress.size === 0) places?.delete(address);
    if (places?.size === 0) this.#networks.delete(network);
  }
}

function sizeOf(network: Network | undefined): number {
  let size = 0;
  for (const places of network?.values() ?? []) size += places.size;
  return size;
}

function largest<T>(
  map: ReadonlyMap<string, T>,
  size: (each: T) => number,
): [key: string | undefined, size: number] {
  let found: [string | undefined, number] = [undefined, 0];
  for (const [key, each] of map) if (size(each) > found[1]) found = [key, size(each)];
  return found;
}
