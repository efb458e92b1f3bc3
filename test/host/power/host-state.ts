/**
 * What the commands have made on the host that is to lose power, and what they promised.
 *
 * @module
 */
import type { Result, RunOptions } from '../../e2e/actor.ts';
import { Ledger, type Pending } from './ledger.ts';
import type { Random } from './random.ts';

/** The host that is to lose power. */
export interface WorkPlace {
  run(args: readonly string[], options?: RunOptions): Promise<Result>;
  /** How far its disk's log is. */
  position(): number;
  /** `A3S_HOME`. */
  readonly home: string;
  /** Images that can be pulled, by their names; none where there is no registry. */
  readonly remote: ReadonlyMap<string, string>;
}

export const NAMES = ['one', 'two', 'three', 'four'] as const;

/** What is promised of a box, each under its name. */
const OF_A_BOX = ['box', 'output', 'shown', 'exit', 'file'] as const;

export interface KnownBox {
  readonly name: string;
  readonly id: string;
  readonly runs: boolean;
  readonly restart: string;
}

export class HostState {
  readonly ledger = new Ledger();
  readonly place: WorkPlace;
  readonly random: Random;
  /** Ids by names. */
  readonly images = new Map<string, string>();
  readonly boxes = new Map<string, KnownBox>();
  readonly pools = new Set<string>();
  readonly volumes = new Map<string, 'directory' | 'disk'>();
  #count = 0;

  constructor(place: WorkPlace, random: Random) {
    this.place = place;
    this.random = random;
  }

  /** Another one each time, so that no two things have the same content. */
  number(): number {
    this.#count += 1;
    return this.#count;
  }

  get position(): number {
    return this.place.position();
  }

  /** Called before the command is given. */
  begin(key: string, value: string | undefined): Pending {
    return this.ledger.begin(key, value, this.position);
  }

  /** Runs a command that must succeed, and so promises this. */
  async promise(
    key: string,
    value: string | undefined,
    args: readonly string[],
    options: RunOptions = {},
  ): Promise<string> {
    const done = this.begin(key, value);
    const stdout = await this.ok(args, options);
    done(this.position);
    return stdout;
  }

  async ok(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.place.run(args, options);
    if (code === 0) return stdout.trimEnd();
    throw new Error(`a3s-box ${args.join(' ')}: ${code}\n${stdout}${stderr}`);
  }

  anyBox(): KnownBox | undefined {
    return this.boxes.size === 0 ? undefined : this.random.pick([...this.boxes.values()]);
  }

  idleBoxes(): readonly KnownBox[] {
    return [...this.boxes.values()].filter(({ runs }) => !runs);
  }

  runningBoxes(): readonly KnownBox[] {
    return [...this.boxes.values()].filter(({ runs }) => runs);
  }

  freeName(): string | undefined {
    const free = NAMES.filter((name) => !this.boxes.has(name));
    return free.length === 0 ? undefined : this.random.pick(free);
  }

  /** Of what this box is known for. */
  keysOf(name: string): readonly string[] {
    return OF_A_BOX.map((kind) => `${kind} ${name}`).filter((key) =>
      this.ledger.keys.includes(key),
    );
  }

  /** Removes boxes by a command. */
  async remove(boxes: readonly KnownBox[], args: readonly string[]): Promise<string> {
    const done = boxes
      .flatMap(({ name }) => this.keysOf(name))
      .map((key) => this.begin(key, undefined));
    await this.ok(args);
    for (const { name } of boxes) this.boxes.delete(name);
    for (const each of done) each(this.position);
    return args.slice(0, 2).join(' ');
  }

  /** Gives a box another name, and with it all that it is known for. */
  async rename(box: KnownBox, name: string): Promise<string> {
    const moved = this.keysOf(box.name).flatMap((key) => {
      const value = this.ledger.promised(key);
      const [kind] = key.split(' ');
      return [this.begin(key, undefined), this.begin(`${kind} ${name}`, value)];
    });
    await this.ok(['rename', box.name, name]);
    this.boxes.delete(box.name);
    this.boxes.set(name, { ...box, name });
    for (const done of moved) done(this.position);
    return 'rename';
  }
}
