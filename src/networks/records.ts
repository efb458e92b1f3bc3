/**
 * The records of networks and endpoints: stored in SQLite, read from maps.
 *
 * @module
 */
import { A3sError } from '../errors.ts';
import type { Database, Migrations } from '../state/database.ts';
import { withReserve } from '../state/reserve.ts';
import { Endpoint, NetworkRecord } from './network.ts';

export const NETWORK_MIGRATIONS: Migrations = [
  `CREATE TABLE networks (
     id TEXT PRIMARY KEY,
     name TEXT NOT NULL UNIQUE,
     record TEXT NOT NULL
   ) STRICT;
   CREATE TABLE endpoints (
     network TEXT NOT NULL REFERENCES networks (id),
     box TEXT NOT NULL,
     address TEXT NOT NULL,
     record TEXT NOT NULL,
     PRIMARY KEY (network, box),
     UNIQUE (network, address)
   ) STRICT`,
];

interface Row {
  readonly id: string;
  readonly record: string;
}

export class NetworkRecords {
  readonly #database: Database;
  readonly #networks = new Map<string, NetworkRecord>();
  /** By network, then by box. */
  readonly #endpoints = new Map<string, Map<string, Endpoint>>();

  /** @throws A3sError `state-unusable` when a record cannot be read; nothing is dropped */
  constructor(database: Database) {
    this.#database = database;
    for (const { id, record } of rows(database, 'SELECT id, record FROM networks')) {
      const network = read(record, NetworkRecord, `network ${id}`);
      this.#networks.set(id, network);
      this.#endpoints.set(id, new Map());
    }
    for (const { id, record } of rows(database, 'SELECT box AS id, record FROM endpoints')) {
      const endpoint = read(record, Endpoint, `the endpoint of box ${id}`);
      this.#endpoints.get(endpoint.network)?.set(endpoint.box, endpoint);
    }
  }

  /** By name. */
  list(): NetworkRecord[] {
    return [...this.#networks.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  get(id: string): NetworkRecord | undefined {
    return this.#networks.get(id);
  }

  /** Makes the record. It is on the disk when this returns. */
  insert(network: NetworkRecord): NetworkRecord {
    this.#database
      .prepare('INSERT INTO networks (id, name, record) VALUES (?, ?, ?)')
      .run(network.id, network.name, JSON.stringify(network));
    this.#networks.set(network.id, network);
    this.#endpoints.set(network.id, new Map());
    return network;
  }

  /** Removes a network without endpoints. */
  remove(id: string): void {
    withReserve(this.#database, () =>
      this.#database.prepare('DELETE FROM networks WHERE id = ?').run(id),
    );
    this.#networks.delete(id);
    this.#endpoints.delete(id);
  }

  endpointsOf(network: string): Endpoint[] {
    return [...(this.#endpoints.get(network)?.values() ?? [])];
  }

  endpoint(network: string, box: string): Endpoint | undefined {
    return this.#endpoints.get(network)?.get(box);
  }

  endpointsOfBox(box: string): Endpoint[] {
    return [...this.#endpoints.values()].flatMap((each) => {
      const endpoint = each.get(box);
      return endpoint === undefined ? [] : [endpoint];
    });
  }

  insertEndpoint(endpoint: Endpoint): Endpoint {
    const { network, box, address } = endpoint;
    this.#database
      .prepare('INSERT INTO endpoints (network, box, address, record) VALUES (?, ?, ?, ?)')
      .run(network, box, address, JSON.stringify(endpoint));
    this.#endpoints.get(network)?.set(box, endpoint);
    return endpoint;
  }

  removeEndpoint(network: string, box: string): void {
    withReserve(this.#database, () =>
      this.#database
        .prepare('DELETE FROM endpoints WHERE network = ? AND box = ?')
        .run(network, box),
    );
    this.#endpoints.get(network)?.delete(box);
  }
}

function rows(database: Database, sql: string): Row[] {
  return database.prepare<[], Row>(sql).all();
}

function read<T>(record: string, schema: { parse(value: unknown): T }, what: string): T {
  try {
    return schema.parse(JSON.parse(record));
  } catch (cause) {
    throw new A3sError('state-unusable', `Cannot read the record of ${what}`, { cause });
  }
}
