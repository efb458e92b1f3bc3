/**
 * Runs random commands of A3S Box whose effects must outlive a power cut, and records what each one
 * promises.
 *
 * @module
 */

import type { Result, RunOptions } from '../../e2e/actor.ts';
import { BUSYBOX } from '../../e2e/installation.ts';
import { buildImage, type ImageSpec, ociArchive } from '../../images/build-image.ts';
import { Ledger } from './ledger.ts';
import type { Random } from './random.ts';

/** The host that is to lose power. */
export interface WorkPlace {
  run(args: readonly string[], options?: RunOptions): Promise<Result>;
  /** How far its disk's log is. */
  position(): number;
  /** Images that can be pulled, by their names; none where there is no registry. */
  readonly remote: ReadonlyMap<string, string>;
}

const POLICIES = ['no', 'on-failure', 'on-failure:3', 'unless-stopped'] as const;
const NAMES = ['one', 'two', 'three', 'four'] as const;
const LINES = 400;

interface KnownBox {
  readonly name: string;
  readonly id: string;
  readonly runs: boolean;
  restart: string;
}

export class Workload {
  readonly ledger = new Ledger();
  /** All that were given to the server, whatever it said. */
  readonly archives: Buffer[] = [];
  readonly #place: WorkPlace;
  readonly #random: Random;
  readonly #images = new Map<string, string>();
  readonly #boxes = new Map<string, KnownBox>();
  readonly #pools = new Set<string>();
  readonly #snapshots = new Set<string>();
  #count = 0;

  constructor(place: WorkPlace, random: Random) {
    this.#place = place;
    this.#random = random;
  }

  /** An image that was there before. */
  found(name: string, id: string): void {
    this.ledger.begin(`image ${name}`, id, 0)(0);
    this.#images.set(name, id);
  }

  /** One command, or a few. @param vms also those that start a microVM */
  async step(vms: boolean): Promise<string> {
    const plain = [
      () => this.#load(),
      () => this.#pull(),
      () => this.#tag(),
      () => this.#removeImage(),
      () => this.#create(),
      () => this.#create(),
      () => this.#update(),
      () => this.#update(),
      () => this.#rename(),
      () => this.#removeBox(),
      () => this.#pruneBoxes(),
      () => this.#pruneImages(),
      () => this.#pool(),
    ];
    return await this.#random.pick(vms ? [...plain, ...this.#withMachines()] : plain)();
  }

  #withMachines(): (() => Promise<string>)[] {
    return [
      () => this.#runBox(),
      () => this.#runBox(),
      () => this.#runBox(),
      () => this.#keepFile(),
      () => this.#keepFile(),
      () => this.#snapshot(),
      () => this.#snapshot(),
    ];
  }

  /** Given to the server whole, or not at all. */
  async load(spec?: ImageSpec): Promise<string> {
    this.#count += 1;
    const name = `test/made-${this.#random.pick(NAMES)}:1`;
    const image = buildImage(
      spec ?? {
        name,
        layers: [
          [{ path: 'shared', data: 'x'.repeat(100_000) }],
          [{ path: 'own', data: Buffer.alloc(1_000 + this.#random.below(2_000_000), this.#count) }],
        ],
        config: { Cmd: ['/own'] },
        compression: this.#random.pick(['gzip', 'none']),
      },
    );
    const stdin = ociArchive([image]);
    this.archives.push(stdin);
    return await this.#takeIn(image.name ?? name, image.config.digest, ['load', '--quiet'], {
      stdin,
    });
  }

  /** Boxes start from it, from then on. */
  async warm(): Promise<void> {
    const done = this.ledger.begin('template', 'there', this.#place.position());
    await this.#ok(['template', 'warm'], { deadlineMs: 300_000 });
    done(this.#place.position());
  }

  async #load(): Promise<string> {
    return await this.load();
  }

  async #pull(): Promise<string> {
    if (this.#place.remote.size === 0) return await this.#load();
    const [name, id] = this.#random.pick([...this.#place.remote]);
    return await this.#takeIn(name, id, ['pull', '--quiet', name]);
  }

  async #takeIn(
    name: string,
    id: string,
    args: readonly string[],
    options: RunOptions = {},
  ): Promise<string> {
    const done = this.ledger.begin(`image ${name}`, id, this.#place.position());
    await this.#ok(args, options);
    this.#images.set(name, id);
    done(this.#place.position());
    return args.slice(0, 2).join(' ');
  }

  async #tag(): Promise<string> {
    const [source, id] = this.#random.pick([...this.#images]);
    const target = `test/tag-${this.#random.pick(NAMES)}:1`;
    return await this.#takeIn(target, id, ['tag', source, target]);
  }

  async #removeImage(): Promise<string> {
    const free = [...this.#images.keys()].filter((name) => name !== BUSYBOX);
    if (free.length === 0) return await this.#load();
    const name = this.#random.pick(free);
    const done = this.ledger.begin(`image ${name}`, undefined, this.#place.position());
    await this.#ok(['rmi', '--force', name]);
    this.#images.delete(name);
    done(this.#place.position());
    return 'rmi';
  }

  async #create(): Promise<string> {
    const name = this.#freeName();
    if (name === undefined) return await this.#removeBox();
    const restart = this.#random.pick(POLICIES);
    const args = ['create', '--name', name, '--network', 'none', '--restart', restart];
    const done = this.ledger.begin(`box ${name}`, 'any', this.#place.position());
    const id = await this.#ok([...args, BUSYBOX, 'true']);
    this.#boxes.set(name, { name, id, restart, runs: false });
    done(this.#place.position(), `${id} ${restart}`);
    return 'create';
  }

  async #update(): Promise<string> {
    const box = this.#anyBox();
    // One that runs would be started again, which the checks have no time for.
    if (box === undefined || box.runs) return await this.#create();
    const restart = this.#random.pick(POLICIES);
    const value = `${box.id} ${restart}`;
    const done = this.ledger.begin(`box ${box.name}`, value, this.#place.position());
    await this.#ok(['update', '--restart', restart, box.name]);
    box.restart = restart;
    done(this.#place.position());
    return 'update';
  }

  async #rename(): Promise<string> {
    const box = this.#anyBox();
    const name = this.#freeName();
    if (box === undefined || name === undefined) return await this.#create();
    const at = this.#place.position();
    const ends = [...this.#keysOf(box.name)].map((key) => this.ledger.begin(key, undefined, at));
    const pending = this.ledger.begin(`box ${name}`, `${box.id} ${box.restart}`, at);
    await this.#ok(['rename', box.name, name]);
    this.#boxes.delete(box.name);
    this.#boxes.set(name, { ...box, name });
    for (const done of [...ends, pending]) done(this.#place.position());
    return 'rename';
  }

  async #removeBox(): Promise<string> {
    const box = this.#anyBox();
    if (box === undefined) return await this.#create();
    return await this.#gone([box], ['rm', '--force', box.name]);
  }

  async #pruneBoxes(): Promise<string> {
    return await this.#gone(this.#idle(), ['container', 'prune', '--force']);
  }

  async #gone(boxes: readonly KnownBox[], args: readonly string[]): Promise<string> {
    const at = this.#place.position();
    const done = boxes
      .flatMap(({ name }) => this.#keysOf(name))
      .map((key) => this.ledger.begin(key, undefined, at));
    await this.#ok(args);
    for (const { name } of boxes) this.#boxes.delete(name);
    for (const each of done) each(this.#place.position());
    return args.slice(0, 2).join(' ');
  }

  #idle(): readonly KnownBox[] {
    return [...this.#boxes.values()].filter(({ runs }) => !runs);
  }

  /** Of what this box is known for. */
  #keysOf(name: string): readonly string[] {
    return ['box', 'output', 'exit', 'file']
      .map((kind) => `${kind} ${name}`)
      .filter((key) => this.ledger.keys.includes(key));
  }

  async #pruneImages(): Promise<string> {
    // What boxes need has to be there for the next one.
    if (this.#boxes.size === 0) return await this.#create();
    const used = this.#images.get(BUSYBOX);
    const at = this.#place.position();
    const gone = [...this.#images].filter(([, id]) => id !== used).map(([name]) => name);
    const done = gone.map((name) => this.ledger.begin(`image ${name}`, undefined, at));
    await this.#ok(['image', 'prune', '--all', '--force']);
    for (const name of gone) this.#images.delete(name);
    for (const each of done) each(this.#place.position());
    return 'image prune';
  }

  async #pool(): Promise<string> {
    const name = this.#random.pick(NAMES);
    if (this.#pools.has(name)) {
      const done = this.ledger.begin(`pool ${name}`, undefined, this.#place.position());
      await this.#ok(['pool', 'rm', name]);
      this.#pools.delete(name);
      done(this.#place.position());
      return 'pool rm';
    }
    const done = this.ledger.begin(`pool ${name}`, '0', this.#place.position());
    await this.#ok(['pool', 'set', '--size', '0', name]);
    this.#pools.add(name);
    done(this.#place.position());
    return 'pool set';
  }

  /** What it writes is promised once its end is known. */
  async #runBox(): Promise<string> {
    const name = this.#freeName();
    if (name === undefined) return await this.#removeBox();
    this.#count += 1;
    const text = outputOf(this.#count);
    const at = this.#place.position();
    const box = this.ledger.begin(`box ${name}`, 'any', at);
    const output = this.ledger.begin(`output ${name}`, text, at);
    const exit = this.ledger.begin(`exit ${name}`, '7', at);
    const script = `i=0; while [ $i -lt ${LINES} ]; do echo line $i of ${this.#count}; i=$((i + 1)); done; exit 7`;
    const limits = this.#random.pick([[], ['--log-opt', 'max-size=8k', '--log-opt', 'max-file=9']]);
    const args = ['run', '--name', name, '--network', 'none', ...limits, BUSYBOX];
    const ran = await this.#place.run([...args, 'sh', '-c', script]);
    if (ran.code !== 7) throw new Error(`run: ${ran.code}\n${ran.stdout}${ran.stderr}`);
    const position = this.#place.position();
    exit(position);
    output(position);
    const id = await this.#ok(['inspect', '--format', '{{.Id}}', name]);
    this.#boxes.set(name, { name, id, restart: 'no', runs: false });
    box(position, `${id} no`);
    return 'run';
  }

  /** What a box has written and synced is promised. */
  async #keepFile(): Promise<string> {
    const name = this.#freeName();
    if (name === undefined) return await this.#removeBox();
    this.#count += 1;
    const at = this.#place.position();
    const box = this.ledger.begin(`box ${name}`, 'any', at);
    const id = await this.#ok([
      ...['run', '-d', '--name', name, '--network', 'none', BUSYBOX],
      ...['sleep', '1000'],
    ]);
    box(this.#place.position(), `${id} no`);
    this.#boxes.set(name, { name, id, restart: 'no', runs: true });
    const text = `kept ${this.#count}`;
    const file = this.ledger.begin(`file ${name}`, text, this.#place.position());
    await this.#ok(['exec', name, 'sh', '-c', `echo ${text} > /kept && sync`]);
    file(this.#place.position());
    return 'exec';
  }

  /** Its memory goes with the host's; that there was one is promised. */
  async #snapshot(): Promise<string> {
    const [known] = this.#snapshots;
    if (known !== undefined) {
      const done = this.ledger.begin(`snapshot ${known}`, undefined, this.#place.position());
      await this.#ok(['snapshot', 'rm', known]);
      this.#snapshots.delete(known);
      done(this.#place.position());
      return 'snapshot rm';
    }
    const running = [...this.#boxes.values()].find(({ runs }) => runs);
    if (running === undefined) return await this.#keepFile();
    const name = this.#random.pick(NAMES);
    const done = this.ledger.begin(`snapshot ${name}`, 'gone', this.#place.position());
    await this.#ok(['snapshot', 'create', '--memory', '--name', name, running.name]);
    this.#snapshots.add(name);
    done(this.#place.position());
    return 'snapshot create';
  }

  #anyBox(): KnownBox | undefined {
    return this.#boxes.size === 0 ? undefined : this.#random.pick([...this.#boxes.values()]);
  }

  #freeName(): string | undefined {
    const free = NAMES.filter((name) => !this.#boxes.has(name));
    return free.length === 0 ? undefined : this.#random.pick(free);
  }

  async #ok(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.#place.run(args, options);
    if (code === 0) return stdout.trimEnd();
    throw new Error(`a3s-box ${args.join(' ')}: ${code}\n${stdout}${stderr}`);
  }
}

function outputOf(count: number): string {
  return Array.from({ length: LINES }, (_, line) => `line ${line} of ${count}\n`).join('');
}
