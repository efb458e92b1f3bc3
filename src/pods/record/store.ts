/**
 * The records of all pods and their containers: SQLite keeps them, maps serve reads. This process
 * has the database locked, so the maps are never out of date.
 *
 * @module
 */
import { EventEmitter } from 'node:events';
import type { PodClaims } from '../../boxes/services/pod-claims.ts';
import { A3sError } from '../../errors.ts';
import { type Database, type Migrations, withoutSync } from '../../state/database.ts';
import { withReserve } from '../../state/reserve.ts';
import type { LogPosition } from '../logs/log-position.ts';
import {
  type AskedLimits,
  type Container,
  ContainerDefinition,
  ContainerRecordState,
  containerName,
} from './container.ts';
import { type Pod, PodDefinition, PodState, podName } from './pod.ts';
import {
  type ContainerEvent,
  containerAfter,
  mayHavePodVm,
  type PodEvent,
  podAfter,
} from './states.ts';

export const POD_MIGRATIONS: Migrations = [
  `CREATE TABLE pods (
     id TEXT PRIMARY KEY,
     name TEXT NOT NULL UNIQUE,
     definition TEXT NOT NULL,
     state TEXT NOT NULL
   ) STRICT;
   CREATE TABLE containers (
     id TEXT PRIMARY KEY,
     pod TEXT NOT NULL REFERENCES pods (id),
     name TEXT NOT NULL UNIQUE,
     definition TEXT NOT NULL,
     state TEXT NOT NULL
   ) STRICT`,
];

interface Row {
  readonly id: string;
  readonly definition: string;
  readonly state: string;
}

/** What has become of a pod or a container. */
export interface PodChange {
  readonly kind: 'created' | 'started' | 'stopped' | 'removed';
  /** Of the container; of the pod, where it is the pod that has changed. */
  readonly id: string;
  readonly pod: string;
}

/** What `UpdateContainerResources` changes. */
type Redefined = Partial<Pick<ContainerDefinition, 'resources'>> & {
  readonly askedLimits?: AskedLimits;
};

const CREATED: ContainerRecordState = { status: 'created', exitCode: 0, reason: '', message: '' };

export class PodStore implements PodClaims {
  readonly #database: Database;
  readonly #pods = new Map<string, Pod>();
  readonly #containers = new Map<string, Container>();
  readonly #changes = new EventEmitter().setMaxListeners(0);

  /** @throws A3sError `state-unusable` when a record cannot be read; nothing is dropped */
  constructor(database: Database) {
    this.#database = database;
    const all = (table: string): Row[] =>
      database.prepare<[], Row>(`SELECT id, definition, state FROM ${table}`).all();
    for (const row of all('pods')) {
      this.#pods.set(row.id, read('pod', row, PodDefinition, PodState));
    }
    for (const row of all('containers')) {
      const container = read('container', row, ContainerDefinition, ContainerRecordState);
      this.#containers.set(row.id, container);
    }
  }

  /** Oldest first. */
  pods(): Pod[] {
    return [...this.#pods.values()].sort(byAge);
  }

  /** Of one pod, or of all of them; oldest first. */
  containers(pod?: string): Container[] {
    const all = [...this.#containers.values()].sort(byAge);
    return pod === undefined ? all : all.filter(({ definition }) => definition.pod === pod);
  }

  pod(id: string): Pod | undefined {
    return this.#pods.get(id);
  }

  container(id: string): Container | undefined {
    return this.#containers.get(id);
  }

  /** @throws A3sError `no-such-pod` */
  expectPod(id: string): Pod {
    return this.#pods.get(id) ?? missing('no-such-pod', 'pod', id);
  }

  /** @throws A3sError `no-such-container` */
  expectContainer(id: string): Container {
    return this.#containers.get(id) ?? missing('no-such-container', 'container', id);
  }

  /**
   * The id that begins so, in full; what no record's id, or more than one, begins with, as it is.
   */
  fullId(kind: 'pod' | 'container', id: string): string {
    const records = kind === 'pod' ? this.#pods : this.#containers;
    if (records.has(id) || !/^[0-9a-f]{4,63}$/.test(id)) return id;
    const [found = id, ...more] = [...records.keys()].filter((each) => each.startsWith(id));
    return more.length === 0 ? found : id;
  }

  uids(): number[] {
    return this.pods().map(({ definition }) => definition.identity.uid);
  }

  imageIds(): string[] {
    return this.containers().flatMap(({ definition: { image, imageMounts } }) => [
      image.id,
      ...imageMounts.map((mount) => mount.image.id),
    ]);
  }

  vmIds(): string[] {
    return this.#withVm().map(({ definition }) => definition.id);
  }

  bootSets(): string[] {
    return this.pods().map(({ definition }) => definition.bootSet);
  }

  templateKeys(): string[] {
    return this.#withVm().flatMap(({ state: { vm } }) => vm?.source ?? []);
  }

  /**
   * @param known what its state has from the beginning
   * @throws A3sError `name-in-use` with the id of the pod that has the name
   */
  insertPod(definition: PodDefinition, known: Pick<PodState, 'vm' | 'unpooled'> = {}): Pod {
    const name = podName(definition.metadata);
    for (const other of this.#pods.values()) {
      if (podName(other.definition.metadata) === name) throw reserved(name, other.definition.id);
    }
    const pod: Pod = { definition, state: { ...known, status: 'starting', error: '' } };
    this.#database
      .prepare('INSERT INTO pods (id, name, definition, state) VALUES (?, ?, ?, ?)')
      .run(definition.id, name, JSON.stringify(definition), JSON.stringify(pod.state));
    this.#pods.set(definition.id, pod);
    this.#announce({ kind: 'created', id: definition.id, pod: definition.id });
    return pod;
  }

  /** @throws A3sError `name-in-use` with the id of the container that has the name */
  insertContainer(definition: ContainerDefinition): Container {
    const name = containerName(definition);
    for (const other of this.#containers.values()) {
      if (containerName(other.definition) === name) throw reserved(name, other.definition.id);
    }
    const container: Container = { definition, state: CREATED };
    this.#database
      .prepare('INSERT INTO containers (id, pod, name, definition, state) VALUES (?, ?, ?, ?, ?)')
      .run(
        ...[definition.id, definition.pod, name],
        ...[JSON.stringify(definition), JSON.stringify(container.state)],
      );
    this.#containers.set(definition.id, container);
    this.#announce({ kind: 'created', id: definition.id, pod: definition.pod });
    return container;
  }

  /** @throws A3sError `conflict` when the pod's status does not allow the event */
  advancePod(id: string, event: PodEvent, change: Partial<Omit<PodState, 'status'>> = {}): Pod {
    const { state } = this.expectPod(id);
    const next = { ...state, ...change, status: podAfter(state.status, event) };
    const write = (): Pod => this.#writePod(id, next);
    const pod = event === 'started' ? write() : withReserve(this.#database, write);
    if (event !== 'remove') this.#announce({ kind: event, id, pod: id });
    return pod;
  }

  /** Changes the state, except for the status. */
  amendPod(id: string, change: Partial<Omit<PodState, 'status'>>): Pod {
    return this.#writePod(id, { ...this.expectPod(id).state, ...change });
  }

  /** @throws A3sError `conflict` when the container's status does not allow the event */
  advanceContainer(
    id: string,
    event: ContainerEvent,
    change: Partial<Omit<ContainerRecordState, 'status'>> = {},
  ): Container {
    const { definition, state } = this.expectContainer(id);
    const status = containerAfter(state.status, event);
    const next: Container = { definition, state: { ...state, ...change, status } };
    const write = () =>
      this.#database
        .prepare('UPDATE containers SET state = ? WHERE id = ?')
        .run(JSON.stringify(next.state), id);
    if (event === 'ended' || event === 'remove') withReserve(this.#database, write);
    else write();
    this.#containers.set(id, next);
    if (event === 'started' || event === 'ended') {
      const kind = event === 'ended' ? 'stopped' : event;
      this.#announce({ kind, id, pod: definition.pod });
    }
    return next;
  }

  /** Keeps how far the output of a container is in its log. */
  recordLog(id: string, log: LogPosition): void {
    const { definition, state } = this.expectContainer(id);
    const next: Container = { definition, state: { ...state, log } };
    // A power cut ends the container, so nothing goes on from there.
    withoutSync(this.#database, () =>
      this.#database
        .prepare('UPDATE containers SET state = ? WHERE id = ?')
        .run(JSON.stringify(next.state), id),
    );
    this.#containers.set(id, next);
  }

  redefineContainer(id: string, change: Redefined): Container {
    const { definition, state } = this.expectContainer(id);
    const next: Container = { definition: { ...definition, ...change }, state };
    this.#database
      .prepare('UPDATE containers SET definition = ? WHERE id = ?')
      .run(JSON.stringify(next.definition), id);
    this.#containers.set(id, next);
    return next;
  }

  redefinePod(id: string, change: Pick<PodDefinition, 'memoryBytes' | 'nanoCpus'>): Pod {
    const { definition, state } = this.expectPod(id);
    const next: Pod = { definition: { ...definition, ...change }, state };
    this.#database
      .prepare('UPDATE pods SET definition = ? WHERE id = ?')
      .run(JSON.stringify(next.definition), id);
    this.#pods.set(id, next);
    return next;
  }

  /** The records of its containers are gone already. */
  removePod(id: string): void {
    withReserve(this.#database, () =>
      this.#database.prepare('DELETE FROM pods WHERE id = ?').run(id),
    );
    this.#pods.delete(id);
    this.#announce({ kind: 'removed', id, pod: id });
  }

  removeContainer(id: string): void {
    withReserve(this.#database, () =>
      this.#database.prepare('DELETE FROM containers WHERE id = ?').run(id),
    );
    const pod = this.#containers.get(id)?.definition.pod;
    this.#containers.delete(id);
    if (pod !== undefined) this.#announce({ kind: 'removed', id, pod });
  }

  /** Called with each change of a pod or a container that clients get an event of. */
  onChange(listener: (change: PodChange) => void): Disposable {
    this.#changes.on('change', listener);
    return { [Symbol.dispose]: () => void this.#changes.off('change', listener) };
  }

  #announce(change: PodChange): void {
    this.#changes.emit('change', change);
  }

  #withVm(): Pod[] {
    return this.pods().filter(({ state }) => mayHavePodVm(state.status));
  }

  #writePod(id: string, state: PodState): Pod {
    const pod: Pod = { definition: this.expectPod(id).definition, state };
    this.#database.prepare('UPDATE pods SET state = ? WHERE id = ?').run(JSON.stringify(state), id);
    this.#pods.set(id, pod);
    return pod;
  }
}

function byAge(
  a: { readonly definition: { readonly createdAt: string } },
  b: { readonly definition: { readonly createdAt: string } },
): number {
  return a.definition.createdAt < b.definition.createdAt ? -1 : 1;
}

function read<Definition, State>(
  kind: string,
  row: Row,
  definition: { parse(document: unknown): Definition },
  state: { parse(document: unknown): State },
): { definition: Definition; state: State } {
  try {
    return {
      definition: definition.parse(JSON.parse(row.definition)),
      state: state.parse(JSON.parse(row.state)),
    };
  } catch (cause) {
    throw new A3sError('state-unusable', `Cannot read the record of ${kind} ${row.id}`, {
      remedy: 'Restore the database from a copy, or choose another A3S_HOME.',
      cause,
    });
  }
}

function missing(code: 'no-such-pod' | 'no-such-container', kind: string, id: string): never {
  throw new A3sError(code, `No ${kind} has the id ${id.slice(0, 128)}`);
}

function reserved(name: string, holder: string): A3sError {
  return new A3sError('name-in-use', `The name ${name.slice(0, 512)} is reserved for ${holder}`);
}
