/**
 * What the server asks of the host's networks.
 *
 * @module
 */
import type { UserNetworks } from '../network.ts';
import type { Endpoint } from './endpoint.ts';
import type { BoxRefusal } from './limit-box.ts';

/** What the host makes of networks. */
export interface HostNetworks {
  /**
   * Whether this host can make networks. It is asked before each start, since a program may be
   * installed meanwhile.
   */
  availability(): Promise<UserNetworks>;
  /**
   * Begins to put a box into a network, anew where it is there already. Returns once its ports are
   * open and its tap device is there, through which nothing passes yet.
   *
   * @throws A3sError `network-failed`, `port-in-use`, `tool-missing`
   */
  attach(endpoint: Endpoint): Promise<Attachment>;
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
  /** What policies have refused to boxes since this was called last; a bounded part of it. */
  refusals(): Promise<readonly BoxRefusal[]>;
}

/** A box's way into a network. */
export interface Attachment {
  /** The descriptor of its tap device, which the caller closes. */
  readonly tap: number;
  /**
   * Settles when the box is in the network as a whole. Rejects with an A3sError `network-failed` or
   * `tool-missing` once what was made is taken away again; a caller may leave that unhandled.
   */
  readonly whole: Promise<void>;
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
