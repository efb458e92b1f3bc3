/**
 * Prevents registries from making this host send requests to itself.
 *
 * A registry chooses redirects, upload locations and token realms. Each connection to such a host
 * is checked by the address that it connects to, so a name that resolves differently the next time
 * gains nothing. A local address is accepted only where the registry itself was reached at one of
 * that kind.
 *
 * @module
 */
import { type LookupAddress, lookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import type { buildConnector } from 'undici';
import { type AddressKind, addressKind } from '../hosts/address-kind.ts';
import { bareHost } from '../hosts/addresses.ts';

/** Bound on the remembered registries: users name them, registries do not. */
const MAX_REGISTRIES = 1024;

/** Which addresses a request may go to, beside those of this host and its link. */
export interface AddressRule {
  /** Equal for rules that permit the same. */
  readonly id: string;
  /**
   * Why an address is refused; `undefined` stands for one that a proxy finds, which is not seen
   * here.
   */
  refusal(address: string | undefined): string | undefined;
}

/** No request was sent: the rule of the request refuses the address. */
export class RefusedAddress extends Error {}

/** No request was sent: the address is one of this host. */
export class LocalAddress extends Error {
  readonly address: string;

  constructor(address: string) {
    super(`${address} is an address of this host`);
    this.address = address;
  }
}

export class AddressGuard {
  readonly #resolve: LookupFunction;
  /**
   * The kind of address of each registry, by origin. A registry that had an address elsewhere once
   * stays `elsewhere`.
   */
  readonly #reached = new Map<string, AddressKind>();

  /** Whether a registry may be on this host or its link; undefined: each may. */
  readonly #mayBeLocal: ((registry: string) => boolean) | undefined;

  constructor(resolve: LookupFunction = lookup, mayBeLocal?: (registry: string) => boolean) {
    this.#resolve = resolve;
    this.#mayBeLocal = mayBeLocal;
  }

  /**
   * The kind of address of the registry of an origin. A registry that was never reached directly is
   * `elsewhere`.
   */
  placeOf(registry: string): AddressKind {
    return this.#reached.get(registry) ?? 'elsewhere';
  }

  /**
   * For the registry itself: its first connection may lead anywhere, later ones to the same kind of
   * address or `elsewhere`. One that may not be local leads elsewhere alone.
   */
  own(registry: string, build: ConnectorBuilder): buildConnector.connector {
    const permitted = (kind: AddressKind): boolean => {
      if (kind !== 'elsewhere' && this.#mayBeLocal?.(registry) === false) return false;
      const known = this.#reached.get(registry);
      return known === undefined || kind === 'elsewhere' || kind === known;
    };
    return this.#connector(permitted, build, (address) => this.#record(registry, address));
  }

  /**
   * For a host that a registry named; the registry itself is at `place`.
   *
   * @param rule refuses more
   */
  foreign(
    place: AddressKind,
    build: ConnectorBuilder,
    rule?: AddressRule,
  ): buildConnector.connector {
    const permitted = (kind: AddressKind): boolean => kind === 'elsewhere' || kind === place;
    return this.#connector(permitted, build, undefined, rule);
  }

  #record(registry: string, address: string): void {
    const kind = addressKind(address);
    const known = this.#reached.get(registry) ?? kind;
    this.#reached.delete(registry);
    this.#reached.set(registry, known === kind ? kind : 'elsewhere');
    const [oldest] = this.#reached.keys();
    if (this.#reached.size > MAX_REGISTRIES && oldest !== undefined) this.#reached.delete(oldest);
  }

  #connector(
    permitted: (kind: AddressKind) => boolean,
    build: ConnectorBuilder,
    record: (address: string) => void = () => undefined,
    rule?: AddressRule,
  ): buildConnector.connector {
    const refusal = (address: string): Error | undefined => {
      if (!permitted(addressKind(address))) return new LocalAddress(address);
      const reason = rule?.refusal(address);
      return reason === undefined ? undefined : new RefusedAddress(reason);
    };
    const connect = build(this.#lookup(refusal));
    return (options, callback) => {
      // A literal address needs no lookup.
      const literal = bareHost(options.hostname);
      const refused = isIP(literal) === 0 ? undefined : refusal(literal);
      if (refused !== undefined) {
        queueMicrotask(() => callback(refused, null));
        return;
      }
      connect(options, (...[error, socket]) => {
        if (error !== null) return callback(error, null);
        // A socket that its peer has reset has no remote address. Its kind is unknown then.
        const address = socket.remoteAddress ?? (isIP(literal) === 0 ? undefined : literal);
        if (address !== undefined) record(address);
        callback(null, socket);
      });
    };
  }

  #lookup(refusal: (address: string) => Error | undefined): LookupFunction {
    return (hostname, options, callback) => {
      this.#resolve(hostname, { ...options, all: true }, (error, found) => {
        if (error !== null) return callback(error, []);
        const addresses = found as LookupAddress[];
        const permitted = addresses.filter(({ address }) => refusal(address) === undefined);
        const [first, ...rest] = permitted;
        if (first === undefined) {
          const address = addresses[0]?.address ?? hostname;
          return callback(refusal(address) ?? new LocalAddress(address), []);
        }
        if (options.all === true) callback(null, [first, ...rest]);
        else callback(null, first.address, first.family);
      });
    };
  }
}

type ConnectorBuilder = (lookup: LookupFunction) => buildConnector.connector;
