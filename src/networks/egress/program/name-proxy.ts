/**
 * Answers what a box asks about names: those that all its policies allow, with addresses that the
 * packet filter has by then.
 *
 * @module
 */
import { type Address, type AnySubnet, containsAny } from '../../address.ts';
import { decideName, isSpecial, mayResolveTo, type Policy } from '../decide.ts';
import {
  type AddressType,
  type Answer,
  MAX_ADDRESSES,
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
  readonly own: readonly AnySubnet[];
  /** Names without a dot are those of boxes. */
  readonly namesBoxes: boolean;
  /** Where boxes are, beside private addresses. */
  readonly boxSubnets: readonly AnySubnet[];
  /** Whether the box has IPv6. */
  readonly ipv6: boolean;
  readonly pins: Pick<Pins, 'add' | 'addressesOf'>;
  readonly refuse: Refuse;
  /** Gets what keeps a name from being resolved. */
  readonly fail: Fail;
  /** Asks a server for the addresses of a name. */
  readonly resolve: (name: string, type: AddressType) => Promise<Answer>;
  /** In seconds. */
  readonly now: () => number;
}

/** Questions that wait for an answer; more are told to come again. */
const MAX_PENDING = 128;
const MAX_CACHED = 2048;
/** Addresses of boxes change whenever one starts. */
const BOX_SECONDS = 5;
/** aardvark-dns knows boxes below it, and asks no other server for a name there. */
const BOXES = 'dns.podman';

interface Resolved {
  readonly rcode: number;
  readonly addresses: readonly Address[];
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
    const mayBeBox = this.#options.namesBoxes && !name.includes('.');
    if (!mayBeBox && !this.#isAllowed(name)) return writeReply(query, RCODE.noName);
    const type = this.#types().find((each) => each === query.type);
    // HTTPS records have addresses, and keys that hide names of servers.
    if (type === undefined) return writeReply(query, RCODE.ok);
    const resolve = mayBeBox ? this.#boxOrName(name, type) : this.#resolved(name, type);
    const { rcode, addresses, ttl } = await resolve;
    return writeReply(query, rcode, addresses, ttl);
  }

  /** Opens the addresses of a name as a question of the box does. Never rejects. */
  async renew(name: string): Promise<void> {
    if (!this.#isAllowed(name)) return;
    await Promise.all(this.#types().map((type) => this.#resolved(name, type)));
  }

  /** Of addresses that the box can reach. */
  #types(): readonly AddressType[] {
    return this.#options.ipv6 ? [TYPE.A, TYPE.AAAA] : [TYPE.A];
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

  /** A name without a dot is that of a box. Where there is none, it is a name as any other is. */
  async #boxOrName(name: string, type: AddressType): Promise<Resolved> {
    const full = `${name}.${BOXES}`;
    const key = `box ${type} ${name}`;
    const box = await this.#once(key, name, () => this.#resolveBox(full, type));
    const isAllowed = this.#options.policies.every((each) => decideName(each, name).allowed);
    return box.rcode === RCODE.noName && isAllowed ? await this.#resolved(name, type) : box;
  }

  async #resolved(name: string, type: AddressType): Promise<Resolved> {
    const key = `${type} ${name}`;
    const now = this.#options.now();
    const cached = this.#cached.get(key);
    if (cached !== undefined && cached.until > now && this.#isOpen(name, cached.resolved)) {
      return { ...cached.resolved, ttl: cached.until - now };
    }
    const resolved = await this.#once(key, name, () => this.#resolve(name, type));
    if (resolved.ttl > 0) this.#keep(key, resolved, now);
    return resolved;
  }

  /** Questions for the same that come meanwhile get the same answer. Never rejects. */
  async #once(key: string, name: string, resolve: () => Promise<Resolved>): Promise<Resolved> {
    const pending = this.#pending.get(key);
    if (pending !== undefined) return await pending;
    if (this.#pending.size >= MAX_PENDING) return FAILED;
    const resolving = resolve().catch((error: unknown) => {
      this.#options.fail(`cannot resolve ${name}`, error);
      return FAILED;
    });
    this.#pending.set(key, resolving);
    const resolved = await resolving;
    this.#pending.delete(key);
    return resolved;
  }

  /** What boxes reach of their own network is not egress, and nothing is opened for it. */
  async #resolveBox(name: string, type: AddressType): Promise<Resolved> {
    const { rcode, addresses, ttl } = await this.#asked(name, type);
    const { boxSubnets } = this.#options;
    const isBoxes = (address: Address): boolean =>
      isSpecial(address) || boxSubnets.some((subnet) => containsAny(subnet, address));
    return { rcode, addresses: addresses.filter(isBoxes), ttl: Math.min(ttl, BOX_SECONDS) };
  }

  async #asked(name: string, type: AddressType): Promise<Resolved> {
    const answer = await this.#options.resolve(name, type);
    if (answer.rcode === RCODE.noName) return NO_NAME;
    if (answer.rcode !== RCODE.ok) return FAILED;
    const addresses = answer.addresses.slice(0, MAX_ADDRESSES[type]);
    return { rcode: RCODE.ok, addresses, ttl: Math.min(answer.ttl, MAX_SECONDS) };
  }

  async #resolve(name: string, type: AddressType): Promise<Resolved> {
    const { policies, own, pins, refuse } = this.#options;
    const { rcode, addresses, ttl } = await this.#asked(name, type);
    if (!addresses.every((address) => mayResolveTo(policies, address, own))) {
      refuse({
        target: name,
        policy: 0,
        why: 'its address is private, link-local, the loopback or of the host’s own networks',
      });
      return NO_NAME;
    }
    if (addresses.length > 0) await pins.add(name, addresses, ttl);
    return { rcode, addresses, ttl };
  }

  /** Whether what was answered is open yet: of many names the first ones are forgotten. */
  #isOpen(name: string, { addresses }: Resolved): boolean {
    const open = this.#options.pins.addressesOf(name);
    return addresses.every((address) => open.includes(address));
  }

  #keep(key: string, resolved: Resolved, now: number): void {
    if (this.#cached.size >= MAX_CACHED) {
      for (const [each, { until }] of this.#cached) if (until <= now) this.#cached.delete(each);
    }
    if (this.#cached.size < MAX_CACHED)
      this.#cached.set(key, { resolved, until: now + resolved.ttl });
  }
}
