/**
 * Keeps registries from making this host ask itself.
 *
 * A redirect, an upload location or a token realm is a registry's choice. Each connection to such a host is held against
 * the addresses that it is made to: a name that resolves to another address the next time is resolved for the connection
 * itself. A local address is taken only where the registry itself was reached at one of that kind.
 *
 * @module
 */
import { type LookupAddress, lookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import type { buildConnector } from 'undici';
import { type AddressKind, addressKind } from '../hosts/address-kind.ts';
import { bareHost } from '../hosts/addresses.ts';

/** Registries that are remembered: users name them, registries do not. */
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
  /** The kind of address of each registry, by origin. A registry that had an address elsewhere once stays `elsewhere`. */
  readonly #reached = new Map<string, AddressKind>();

  constructor(resolve: LookupFunction = lookup) {
    this.#resolve = resolve;
  }

  /** Where the registry of an origin is; one that was never reached directly is elsewhere. */
  placeOf(registry: string): AddressKind {
    return this.#reached.get(registry) ?? 'elsewhere';
  }

  /** For the registry itself: its first connection may lead anywhere, later ones to the same kind or elsewhere. */
  own(registry: string, build: ConnectorBuilder): buildConnector.connector {
    const permitted = (kind: AddressKind): boolean => {
      const known = this.#reached.get(registry);
      return known === undefined || kind === 'elsewhere' || kind === known;
    };
    return this.#connector(permitted, build, (address) => this.#note(registry, address));
  }

  /** For a host that a registry named, which is at `place` itself. */
  foreign(place: AddressKind, build: ConnectorBuilder): buildConnector.connector {
    return this.#connector((kind) => kind === 'elsewhere' || kind === place, build);
  }

  #note(registry: string, address: string): void {
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
    note: (address: string) => void = () => undefined,
  ): buildConnector.connector {
    const connect = build(this.#lookup(permitted));
    return (options, callback) => {
      // An address is not looked up.
      const literal = bareHost(options.hostname);
      if (isIP(literal) !== 0 && !permitted(addressKind(literal))) {
        queueMicrotask(() => callback(new LocalAddress(literal), null));
        return;
      }
      connect(options, (...[error, socket]) => {
        if (error !== null) return callback(error, null);
        // A socket that its peer has reset has no remote address. Its kind is unknown then.
        const address = socket.remoteAddress ?? (isIP(literal) === 0 ? undefined : literal);
        if (address !== undefined) note(address);
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
