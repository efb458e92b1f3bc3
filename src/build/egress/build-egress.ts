/**
 * What the steps and the downloads of builds may reach: `build-network-policy.yaml` in the home of
 * the installation, else of the whole system, else public addresses alone.
 *
 * A file that cannot be used refuses everything: the next one never takes its place.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { PolicyError, readPolicyDocument } from '@a3s-box/policies/document';
import { MAX_POLICY_DOCUMENT } from '@a3s-box/policies/max-policy-document';
import { hostName, type NetworkPolicy, parseNetworkPolicy } from '@a3s-box/policies/network-policy';
import { A3sError } from '../../errors.ts';
import {
  type DecidedBy,
  decideConnection,
  decideName,
  isNeverReached,
  mayResolveTo,
} from '../../networks/egress/decide.ts';
import { parseAddress, type Subnet } from '../../networks/ipv4.ts';
import type { AddressRule } from '../../registry/http/address-guard.ts';
import { isThere, readTrustFile } from '../../trust/policy/policy-files.ts';
import { Refusal } from '../proxy/refusal.ts';

const NAME = 'build-network-policy.yaml';
const SYSTEM_DIRECTORY = '/etc/a3s-box';
const LOCAL = /^(?:.*\.)?localhost$/;

/** A host that a build asks for, an IPv6 address without brackets. */
export interface Asked {
  readonly host: string;
  readonly port: number;
}

export interface EgressPlaces {
  /** `A3S_HOME`. */
  readonly home: string;
  /** Where the system has its policy. */
  readonly system?: string;
  /** The host's own networks, which are not public for builds. */
  readonly hostSubnets: () => Promise<readonly Subnet[]>;
}

export class BuildEgress {
  readonly #places: EgressPlaces;

  constructor(places: EgressPlaces) {
    this.#places = places;
  }

  /** The policy as it is now. @throws A3sError `policy-invalid` */
  async standing(): Promise<StandingEgress> {
    const policy = await readStanding(this.#places);
    return new StandingEgress(policy, await this.#places.hostSubnets());
  }
}

export class StandingEgress {
  readonly #policy: NetworkPolicy;
  readonly #own: readonly Subnet[];
  readonly #digest: string;

  constructor(policy: NetworkPolicy, own: readonly Subnet[]) {
    this.#policy = policy;
    this.#own = own;
    const text = JSON.stringify([policy, own]);
    this.#digest = createHash('sha256').update(text).digest('hex');
  }

  /**
   * To which addresses a connection to a host may go.
   *
   * @throws Refusal for a host that is refused whatever its address is
   */
  rule({ host, port }: Asked): AddressRule {
    const address = parseAddress(host);
    const name = address === undefined ? this.#name(host) : undefined;
    if (address !== undefined) this.#require(this.#refusal(undefined, address, port));
    return {
      id: `${this.#digest} ${host}:${port}`,
      refusal: (found) => {
        // Only names have addresses that are not seen here.
        if (found === undefined) return this.#refusal(name, undefined, port);
        const seen = parseAddress(found);
        return seen === undefined
          ? 'builds reach IPv4 addresses alone'
          : this.#refusal(name, seen, port);
      },
    };
  }

  /** A name that may be looked up. */
  #name(host: string): string {
    if (host.includes(':')) throw new Refusal(403, 'builds reach IPv4 addresses alone');
    const name = hostName(host);
    if (name === undefined) throw new Refusal(403, 'it is neither a host name nor an IPv4 address');
    if (LOCAL.test(name)) throw new Refusal(403, 'the name means this host');
    const { allowed, by } = decideName(this.#policy, name);
    if (!allowed) throw new Refusal(403, this.#words(by));
    return name;
  }

  #require(reason: string | undefined): void {
    if (reason !== undefined) throw new Refusal(403, reason);
  }

  #refusal(
    name: string | undefined,
    address: number | undefined,
    port: number,
  ): string | undefined {
    if (address !== undefined && isNeverReached(address)) {
      return 'it has an address of the host itself, of its link or of no host';
    }
    const destination = { name, address, protocol: 'tcp', port } as const;
    const { allowed, by } = decideConnection(this.#policy, destination, this.#own);
    if (!allowed) return this.#words(by);
    if (address === undefined || mayResolveTo([this.#policy], address, this.#own, destination))
      return undefined;
    // By a rule for the name, or for a part of what an earlier rule refuses.
    return name === undefined
      ? undefined
      : 'its name has a private address or one of the host’s own networks, which no rule allows by itself on this port';
  }

  #words(by: DecidedBy): string {
    if (by === 'dns') return 'a build reaches a DNS server by a rule alone';
    if (by !== 'default') {
      return `the network policy of builds refuses it: ${this.#policy.rules[by]?.text}`;
    }
    return this.#policy.default === 'deny'
      ? 'the network policy of builds does not allow it'
      : 'it has a private address or one of the host’s own networks, which the network policy of builds does not allow';
  }
}

async function readStanding({ home, system }: EgressPlaces): Promise<NetworkPolicy> {
  for (const directory of [home, system ?? SYSTEM_DIRECTORY]) {
    const path = join(directory, NAME);
    if (await isThere(path)) return await readFrom(path);
  }
  return parseNetworkPolicy({ default: 'public' });
}

async function readFrom(path: string): Promise<NetworkPolicy> {
  try {
    const rules = { maxBytes: MAX_POLICY_DOCUMENT, othersMayWrite: false };
    return parseNetworkPolicy(readPolicyDocument(await readTrustFile(path, rules)));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new A3sError('policy-invalid', `Cannot use the network policy ${path}: ${why}`, {
      remedy: 'Until it is put right, nothing is built.',
      cause: error instanceof PolicyError ? undefined : error,
    });
  }
}
