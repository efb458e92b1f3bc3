/**
 * Which addresses the permitted names of a box have at present, here and in the packet filter.
 *
 * @module
 */
import type { Address } from '../../address.ts';
import { allows, namesIt, type Policy } from '../decide.ts';
import { GRACE_SECONDS, PIN_SECONDS, setName } from '../packet-rules.ts';

/** Elements that come into sets of the packet filter, each for so many seconds. */
export type AddToSets = (
  elements: readonly {
    readonly set: string;
    readonly address: Address;
    readonly seconds: number;
  }[],
) => Promise<void>;

/** Longer than that nothing is open, whatever the answer says. */
export const MAX_SECONDS = 3600;
/** The names that were asked for last. One that is forgotten has to be asked for again. */
const MAX_NAMES = 4096;
/** Of one name: servers may answer with others each time. */
const MAX_OF_NAME = 64;
/** In all sets, each of which the packet filter bounds as well. */
const MAX_ELEMENTS = 16_384;

export class Pins {
  readonly #policies: readonly Policy[];
  /** Those whose addresses this program may connect to. */
  readonly #allowing: readonly string[];
  readonly #addToSets: AddToSets;
  readonly #now: () => number;
  /** By name, then by address: until when, in seconds. */
  readonly #names = new Map<string, Map<Address, number>>();
  /** By set and address: until when the packet filter has it. */
  readonly #elements = new Map<string, number>();
  /** When what is past was forgotten. */
  #cleaned = 0;

  constructor(policies: readonly Policy[], addToSets: AddToSets, now: () => number) {
    this.#policies = policies;
    this.#allowing = policies.flatMap(({ rules }, policy) =>
      rules.flatMap((rule, at) =>
        rule.target.kind !== 'addresses' && allows(rule) ? [setName(policy, at)] : [],
      ),
    );
    this.#addToSets = addToSets;
    this.#now = now;
  }

  /**
   * Opens the way to the addresses. They are open when this returns.
   *
   * @throws Error where no more can be open at a time, or not for this long
   */
  async add(name: string, addresses: readonly Address[], ttl: number): Promise<void> {
    const now = this.#now();
    this.#forgetPast(now);
    const least = Math.min(ttl, MAX_SECONDS) + GRACE_SECONDS;
    const seconds = PIN_SECONDS.find((each) => each >= least);
    if (seconds === undefined) throw new Error(`no address is open for ${least} seconds`);
    const until = now + seconds;
    const elements = this.#setsOf(name).flatMap((set) =>
      addresses
        // What is open for long enough stays as it is.
        .filter((address) => (this.#elements.get(`${set} ${address}`) ?? 0) < now + least)
        .map((address) => ({ set, address, seconds })),
    );
    if (this.#elements.size + elements.length > MAX_ELEMENTS) {
      throw new Error('too many addresses are open');
    }
    if (elements.length > 0) await this.#addToSets(elements);
    for (const { set, address } of elements) this.#elements.set(`${set} ${address}`, until);
    const known = this.#names.get(name) ?? new Map<Address, number>();
    for (const address of addresses) {
      const last = Math.max(until, known.get(address) ?? 0);
      // Behind the others: those before it were asked for longer ago.
      known.delete(address);
      known.set(address, last);
    }
    dropFirst(known, MAX_OF_NAME);
    this.#names.delete(name);
    this.#names.set(name, known);
    dropFirst(this.#names, MAX_NAMES);
  }

  /** The addresses that a name has now. */
  addressesOf(name: string): Address[] {
    const now = this.#now();
    const known = [...(this.#names.get(name) ?? [])];
    return known.flatMap(([address, until]) => (until > now ? [address] : []));
  }

  /** Whether a rule that allows a name has opened the address. */
  isOpen(address: Address): boolean {
    const now = this.#now();
    return this.#allowing.some((set) => (this.#elements.get(`${set} ${address}`) ?? 0) > now);
  }

  /** The sets of all rules that are about the name, those that deny some of it as well. */
  #setsOf(name: string): string[] {
    return this.#policies.flatMap(({ rules }, policy) =>
      rules.flatMap((rule, at) => (namesIt(rule, name) ? [setName(policy, at)] : [])),
    );
  }

  /** Once a second at most: it looks at all of them. */
  #forgetPast(now: number): void {
    if (this.#cleaned === now) return;
    this.#cleaned = now;
    for (const [key, until] of this.#elements) if (until <= now) this.#elements.delete(key);
    for (const [name, addresses] of this.#names) {
      for (const [address, until] of addresses) if (until <= now) addresses.delete(address);
      if (addresses.size === 0) this.#names.delete(name);
    }
  }
}

/** Keeps so many of the entries that came last. */
function dropFirst<Key>(map: Map<Key, unknown>, kept: number): void {
  for (const key of map.keys()) {
    if (map.size <= kept) return;
    map.delete(key);
  }
}
