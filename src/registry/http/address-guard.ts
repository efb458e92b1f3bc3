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

  /** For a host that a registry named; the registry itself is at `place`. */
  foreign(place: AddressKind, build: ConnectorBuilder): buildConnector.connector {
    return this.#connector((kind) => kind === 'elsewhere' || kind === place, build);
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
  ): buildConnector.connector {
    const connect = build(this.#lookup(permitted));
    return (options, callback) => {
      // A literal address needs no lookup.
      const literal = bareHost(options.hostname);
      if (isIP(literal) !== 0 && !permitted(addressKind(literal))) {
        queueMicrotask(() => callback(new LocalAddress(literal), null));
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

  #lookup(permitted: (kind: AddressKind) => boolean): LookupFunction {
    return (hostname, options, callback) => {
      this.#resolve(hostname, { ...options, all: true }, (error, found) => {
        if (error !== null) return callback(error, []);
        const addresses = found as LookupAddress[];
        const [first, ...rest] = addresses.filter(({ address }) => permitted(addressKind(address)));
        if (first === undefined) {
          const refused = new LocalAddress(addresses[0]?.address ?? hostname);
          return callback(refused, []);
        }
        if (options.all === true) callback(null, [first, ...rest]);
        else callback(null, first.address, first.family);
      });
    };
  }
}

type ConnectorBuilder = (lookup: LookupFunction) => buildConnector.connector;
