/**
 * Answers what a box asks about names: those that all its policies allow, with addresses that the
 * packet filter has by then.
 *
 * @module
 */
import { contains, type Subnet } from '../../ipv4.ts';
import { decideName, isSpecial, mayResolveTo, type Policy } from '../decide.ts';
import {
  type Answer,
  MAX_ADDRESSES,
  type Query,
  RCODE,
  readQuery,
  TYPE,
  writeReply,
} from './dns-message.ts';
import type { Fail } from './failures.ts';
import { MAX_SECONDS, type Pins } from './pins.ts';
import type { Refuse } from './refusals.ts';

export interface NameProxyOptions {
  readonly policies: readonly Policy[];
  /** The host's own networks: no name leads there. */
  readonly own: readonly Subnet[];
  /** Names without a dot are those of boxes. */
  readonly namesBoxes: boolean;
  /** Where boxes are, beside private addresses. */
  readonly boxSubnet?: Subnet | undefined;
  readonly pins: Pick<Pins, 'add'>;
  readonly refuse: Refuse;
  /** Gets what keeps a name from being resolved. */
  readonly fail: Fail;
  /** Asks a server for the IPv4 addresses of a name. */
  readonly resolve: (name: string) => Promise<Answer>;
  /** In seconds. */
  readonly now: () => number;
}

/** Questions that wait for an answer; more are told to come again. */
const MAX_PENDING = 128;
const MAX_CACHED = 2048;
/** Addresses of boxes change whenever one starts. */
const BOX_SECONDS = 5;

interface Resolved {
  readonly rcode: number;
  readonly addresses: readonly number[];
  readonly ttl: number;
}

const FAILED: Resolved = { rcode: RCODE.failed, addresses: [], ttl: 0 };
const NO_NAME: Resolved = { rcode: RCODE.noName, addresses: [], ttl: 0 };

export class NameProxy {
  readonly #options: NameProxyOptions;
  readonly #pending = new Map<string, Promise<Resolved>>();
  readonly #cached = new Map<string, { resolved: Resolved; until: number }>();

  constructor(options: NameProxyOptions) {
    this.#options = options;
  }

  /** Never rejects. @returns undefined where nothing is to be answered */
  async answer(message: Buffer): Promise<Buffer | undefined> {
    const read = readQuery(message);
    if (read.query === undefined) return read.reply;
    const { query } = read;
    if (!query.isInternet) return writeReply(query, RCODE.refused);
    const { name } = query;
    if (name === undefined) return writeReply(query, RCODE.noName);
    if (this.#isOfBox(name)) {
      return query.type === TYPE.A ? await this.#reply(query, name) : writeReply(query, RCODE.ok);
    }
    if (!this.#isAllowed(name)) return writeReply(query, RCODE.noName);
    // Boxes have no IPv6. HTTPS records have addresses and keys that hide names of servers.
    if (query.type !== TYPE.A) return writeReply(query, RCODE.ok);
    return await this.#reply(query, name);
  }

  /** Opens the addresses of a name as a question of the box does. Never rejects. */
  async renew(name: string): Promise<void> {
    if (!this.#isOfBox(name) && this.#isAllowed(name)) await this.#resolved(name);
  }

  async #reply(query: Query, name: string): Promise<Buffer> {
    const { rcode, addresses, ttl } = await this.#resolved(name);
    return writeReply(query, rcode, addresses, ttl);
  }

  /** The name is not sent anywhere unless it is allowed: names can carry data out. */
  #isAllowed(name: string): boolean {
    for (const [policy, { rules, ...rest }] of this.#options.policies.entries()) {
      const { allowed, by } = decideName({ rules, ...rest }, name);
      if (allowed) continue;
      this.#options.refuse({ target: name, policy, by });
      return false;
    }
    return true;
  }

  async #resolved(name: string): Promise<Resolved> {
    const now = this.#options.now();
    const cached = this.#cached.get(name);
    if (cached !== undefined && cached.until > now) {
      return { ...cached.resolved, ttl: cached.until - now };
    }
    const pending = this.#pending.get(name);
    if (pending !== undefined) return await pending;
    if (this.#pending.size >= MAX_PENDING) return FAILED;
    const resolving = this.#resolve(name).catch((error: unknown) => {
      this.#options.fail(`cannot resolve ${name}`, error);
      return FAILED;
    });
    this.#pending.set(name, resolving);
    const resolved = await resolving;
    this.#pending.delete(name);
    if (resolved.ttl > 0 && !this.#isOfBox(name)) this.#keep(name, resolved, now);
    return resolved;
  }

  async #resolve(name: string): Promise<Resolved> {
    const { resolve, policies, own, pins, refuse } = this.#options;
    const answer = await resolve(name);
    if (answer.rcode === RCODE.noName) return NO_NAME;
    if (answer.rcode !== RCODE.ok) return FAILED;
    const addresses = answer.addresses.slice(0, MAX_ADDRESSES);
    const ttl = Math.min(answer.ttl, MAX_SECONDS);
    if (this.#isOfBox(name)) {
      // What boxes reach of their own network is not egress, and nothing is opened for it.
      const { boxSubnet } = this.#options;
      const isBoxes = (address: number): boolean =>
        isSpecial(address) || (boxSubnet !== undefined && contains(boxSubnet, address));
      return {
        rcode: RCODE.ok,
        addresses: addresses.filter(isBoxes),
        ttl: Math.min(ttl, BOX_SECONDS),
      };
    }
    if (!addresses.every((address) => mayResolveTo(policies, address, own))) {
      refuse({
        target: name,
        policy: 0,
        why: 'its address is private, link-local, the loopback or of the host’s own networks',
      });
      return NO_NAME;
    }
    if (addresses.length > 0) await pins.add(name, addresses, ttl);
    return { rcode: RCODE.ok, addresses, ttl };
  }

  #isOfBox(name: string): boolean {
    return this.#options.namesBoxes && !name.includes('.');
  }

  #keep(name: string, resolved: Resolved, now: number): void {
    if (this.#cached.size >= MAX_CACHED) {
      for (const [key, { until }] of this.#cached) if (until <= now) this.#cached.delete(key);
    }
    if (this.#cached.size < MAX_CACHED)
      this.#cached.set(name, { resolved, until: now + resolved.ttl });
  }
}
