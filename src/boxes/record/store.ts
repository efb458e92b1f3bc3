/**
 * The records of all boxes: SQLite keeps them, a map serves reads. This process has the database
 * locked, so the map is never out of date.
 *
 * Every change is there for the next server, however this one ends. It is also on the disk when its
 * method returns, except where a power cut makes the change void: it undoes a start that has not
 * come to its main process; it ends a started box that is removed at its end; and it ends the run
 * whose health was recorded. Ends and removals may use the reserve of a full disk.
 *
 * @module
 */
import { EventEmitter } from 'node:events';
import { A3sError } from '../../errors.ts';
import { type Database, type Migrations, withoutSync } from '../../state/database.ts';
import { withReserve } from '../../state/reserve.ts';
import { type Box, BoxDefinition, BoxState, type HealthState, INITIAL_STATE } from './box.ts';
import { type BoxEvent, transition } from './states.ts';

/** The schema; version n is the first n steps. */
export const BOX_MIGRATIONS: Migrations = [
  `CREATE TABLE boxes (
     id TEXT PRIMARY KEY,
     name TEXT NOT NULL UNIQUE,
     generation INTEGER NOT NULL,
     definition TEXT NOT NULL,
     state TEXT NOT NULL
   ) STRICT`,
];

/** What `network connect`, `disconnect` and `rm --link` change. */
type RedefinedNetworks = 'network' | 'networkMode' | 'endpoints' | 'boxLinks';

interface Row {
  readonly id: string;
  readonly name: string;
  readonly generation: number;
  readonly definition: string;
  readonly state: string;
}

export class BoxStore {
  readonly #database: Database;
  readonly #boxes = new Map<string, Box>();
  readonly #changes = new EventEmitter().setMaxListeners(0);

  /** @throws A3sError `state-unusable` when a record cannot be read; nothing is dropped */
  constructor(database: Database) {
    this.#database = database;
    const rows = database.prepare<[], Row>('SELECT * FROM boxes').all();
    for (const row of rows) this.#boxes.set(row.id, read(row));
  }

  /** Oldest first. */
  list(): Box[] {
    return [...this.#boxes.values()].sort((a, b) =>
      a.definition.createdAt < b.definition.createdAt ? -1 : 1,
    );
  }

  get(id: string): Box | undefined {
    return this.#boxes.get(id);
  }

  /** @throws A3sError `no-such-box` */
  expect(id: string): Box {
    const box = this.#boxes.get(id);
    if (box === undefined) throw noSuchBox(id);
    return box;
  }

  /**
   * Finds a box by full id, by name, by the name of a link to it, or by a prefix of the id that no
   * other box shares, in this order.
   *
   * @throws A3sError `no-such-box`, `invalid-argument` for a prefix of several
   */
  resolve(reference: string): Box {
    const name = reference.replace(/^\//, '');
    const exact = this.#boxes.get(reference) ?? this.byName(name) ?? this.#byLink(name);
    if (exact !== undefined) return exact;
    if (!/^[0-9a-f]{1,64}$/.test(reference)) throw noSuchBox(reference);
    const matches = [...this.#boxes.keys()].filter((id) => id.startsWith(reference));
    const [first, second] = matches;
    if (first === undefined) throw noSuchBox(reference);
    if (second !== undefined) {
      throw new A3sError(
        'invalid-argument',
        `Multiple IDs found with provided prefix: ${reference}`,
      );
    }
    return this.expect(first);
  }

  byName(name: string): Box | undefined {
    for (const box of this.#boxes.values()) if (box.name === name) return box;
    return undefined;
  }

  /** @param name `BOX/ALIAS`, for a box that another one is linked to in `bridge` */
  #byLink(name: string): Box | undefined {
    const [parent = '', alias, ...more] = name.split('/');
    if (alias === undefined || more.length > 0) return undefined;
    const links = this.byName(parent)?.definition.boxLinks ?? [];
    return this.#boxes.get(links.find((link) => link.alias === alias)?.box ?? '');
  }

  /** @throws A3sError `name-in-use` */
  insert(definition: BoxDefinition, name: string, state: Pick<BoxState, 'incomplete'> = {}): Box {
    const holder = this.byName(name);
    if (holder !== undefined) throw nameInUse(name, holder.definition.id);
    const box: Box = { definition, name, generation: 1, state: { ...INITIAL_STATE, ...state } };
    this.#keep(isVoidable(box), () =>
      this.#database
        .prepare(
          'INSERT INTO boxes (id, name, generation, definition, state) VALUES (?, ?, ?, ?, ?)',
        )
        .run(definition.id, name, 1, JSON.stringify(definition), JSON.stringify(box.state)),
    );
    this.#boxes.set(definition.id, box);
    return box;
  }

  /**
   * Moves the box to the status that follows on `event`, with other changes of its state.
   *
   * @throws A3sError `conflict` when the box's status does not allow the event
   */
  advance(id: string, event: BoxEvent, change: Partial<Omit<BoxState, 'status'>> = {}): Box {
    const box = this.expect(id);
    const status = transition(box.state.status, event);
    const write = (): Box => this.#write(box, { ...box.state, ...change, status });
    return BEGINS.has(event) ? write() : withReserve(this.#database, write);
  }

  /** Changes the state, except for the status. */
  amend(id: string, change: Partial<Omit<BoxState, 'status'>>): Box {
    const box = this.expect(id);
    const write = (): Box => this.#write(box, { ...box.state, ...change });
    return change.stopRequested === true ? withReserve(this.#database, write) : write();
  }

  /**
   * Records the result of a probe. This happens every few seconds for each box with a health check.
   */
  recordHealth(id: string, health: HealthState): Box {
    const box = this.expect(id);
    const { definition, name } = box;
    return this.#replace(box, { definition, name, state: { ...box.state, health } }, true);
  }

  /**
   * Changes what the next start makes of the box, or its name.
   *
   * @throws A3sError `name-in-use`
   */
  redefine(
    id: string,
    change: Partial<
      Pick<BoxDefinition, 'memoryBytes' | 'nanoCpus' | 'limits' | 'restart' | RedefinedNetworks>
    >,
    name?: string,
  ): Box {
    const box = this.expect(id);
    const holder = name === undefined ? undefined : this.byName(name);
    if (name !== undefined && holder !== undefined && holder.definition.id !== id) {
      throw nameInUse(name, holder.definition.id);
    }
    return this.#replace(box, {
      ...box,
      definition: { ...box.definition, ...change },
      name: name ?? box.name,
    });
  }

  remove(id: string): void {
    const remove = () => this.#database.prepare('DELETE FROM boxes WHERE id = ?').run(id);
    const box = this.#boxes.get(id);
    withReserve(this.#database, () => this.#keep(box !== undefined && isVoidable(box), remove));
    this.#boxes.delete(id);
    this.#changes.emit(id, undefined);
  }

  /**
   * Waits for a version of the record, or its removal (undefined), that `found` accepts. The
   * present version does not count. No later version is skipped.
   */
  when(
    id: string,
    found: (box: Box | undefined) => boolean,
    signal: AbortSignal,
  ): Promise<Box | undefined> {
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        this.#changes.off(id, onChange);
        signal.removeEventListener('abort', onAbort);
      };
      const onChange = (box: Box | undefined): void => {
        if (!found(box)) return;
        finish();
        resolve(box);
      };
      const onAbort = (): void => {
        finish();
        reject(signal.reason);
      };
      if (signal.aborted) return onAbort();
      this.#changes.on(id, onChange);
      signal.addEventListener('abort', onAbort);
    });
  }

  #write(box: Box, state: BoxState): Box {
    return this.#replace(box, { ...box, state });
  }

  #replace(box: Box, changed: Omit<Box, 'generation'>, ofHealth = false): Box {
    const { id } = box.definition;
    const { definition, name, state } = changed;
    const next: Box = { definition, name, state, generation: box.generation + 1 };
    const voidable = ofHealth || isVoidable(next);
    const { changes } = this.#keep(voidable, () =>
      definition === box.definition && name === box.name
        ? this.#database
            .prepare('UPDATE boxes SET generation = ?, state = ? WHERE id = ? AND generation = ?')
            .run(next.generation, JSON.stringify(state), id, box.generation)
        : this.#database
            .prepare(
              'UPDATE boxes SET generation = ?, name = ?, definition = ?, state = ? WHERE id = ? AND generation = ?',
            )
            .run(
              ...[next.generation, name, JSON.stringify(definition), JSON.stringify(state)],
              ...[id, box.generation],
            ),
    );
    if (changes !== 1) {
      throw new A3sError(
        'state-unusable',
        `Cannot write box ${id}: its record was changed by others`,
      );
    }
    this.#boxes.set(id, next);
    this.#changes.emit(id, next);
    return next;
  }

  /**
   * @param voidable a power cut makes the change void, so it need not be on the disk when this
   * returns
   */
  #keep<T>(voidable: boolean, commit: () => T): T {
    return voidable ? withoutSync(this.#database, commit) : commit();
  }
}

/** What a full disk refuses: all other events are ends, or lead to one. */
const BEGINS: ReadonlySet<BoxEvent> = new Set(['start', 'started', 'pause', 'unpause']);

/** A box that was created and not started yet is not voidable. */
function isVoidable({ definition, state }: Box): boolean {
  return state.status === 'starting' || (definition.autoRemove && state.status !== 'created');
}

function read(row: Row): Box {
  try {
    return {
      definition: BoxDefinition.parse(JSON.parse(row.definition)),
      name: row.name,
      generation: row.generation,
      state: BoxState.parse(JSON.parse(row.state)),
    };
  } catch (cause) {
    throw new A3sError('state-unusable', `Cannot read the record of box ${row.id}`, {
      remedy: 'Restore the database from a copy, or choose another A3S_HOME.',
      cause,
    });
  }
}

function noSuchBox(reference: string): A3sError {
  return new A3sError('no-such-box', `No such container: ${reference}`);
}

/** The refusal of a name that another box has. */
export function nameInUse(name: string, holder: string): A3sError {
  return new A3sError(
    'name-in-use',
    `Conflict. The container name "/${name}" is already in use by container "${holder}". You have to remove (or rename) that container to be able to reuse that name.`,
  );
}
