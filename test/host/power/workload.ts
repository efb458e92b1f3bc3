/**
 * Random commands, and what each promises when it succeeds.
 *
 * @module
 */
import { closeSync, fsyncSync, openSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunOptions } from '../../e2e/actor.ts';
import { BUSYBOX } from '../../e2e/installation.ts';
import { buildImage, type ImageSpec, ociArchive } from '../../images/build-image.ts';
import { boxSteps } from './box-steps.ts';
import { explainedPolicy, IMAGE_POLICY } from './explained-policy.ts';
import { HostState, NAMES, type WorkPlace } from './host-state.ts';
import type { Ledger } from './ledger.ts';
import type { Random } from './random.ts';

const POLICIES = ['no', 'on-failure', 'on-failure:3', 'unless-stopped'] as const;

type Step = () => Promise<string>;

export class Workload {
  readonly #state: HostState;
  /** Steps that were not taken yet, of this round. */
  #deck: Step[] = [];

  constructor(place: WorkPlace, random: Random) {
    this.#state = new HostState(place, random);
  }

  get ledger(): Ledger {
    return this.#state.ledger;
  }

  /** An image that was there before. */
  found(name: string, id: string): void {
    this.ledger.begin(`image ${name}`, id, 0)(0);
    this.#state.images.set(name, id);
  }

  /** A template that was there before. */
  foundTemplate(): void {
    this.ledger.begin('template', 'there', 0)(0);
  }

  /**
   * One command, or a few. Every kind comes once in a round, in any order.
   *
   * @param vms also those that start a microVM
   */
  async step(vms: boolean): Promise<string> {
    const steps = this.#steps(vms);
    if (this.#deck.length === 0) this.#deck = [...steps];
    const chosen = this.#state.random.pick(this.#deck);
    this.#deck.splice(this.#deck.indexOf(chosen), 1);
    return await chosen();
  }

  #steps(vms: boolean): readonly Step[] {
    const both = [
      () => this.#load(),
      () => this.#tag(),
      () => this.#removeImage(),
      () => this.#volume(),
      () => this.#imagePolicy(),
    ];
    if (vms) return [...both, ...boxSteps(this.#state)];
    return [
      ...both,
      () => this.#pull(),
      () => this.#create(),
      () => this.#create(),
      () => this.#update(),
      () => this.#update(),
      () => this.#rename(),
      () => this.#removeBox(),
      () => this.#pruneBoxes(),
      () => this.#pruneImages(),
      () => this.#pruneVolumes(),
      () => this.#pool(),
    ];
  }

  /** Given to the server whole, or not at all. */
  async load(spec?: ImageSpec): Promise<string> {
    const { random } = this.#state;
    const count = this.#state.number();
    const name = `test/made-${random.pick(NAMES)}:1`;
    const image = buildImage(
      spec ?? {
        name,
        layers: [
          [{ path: 'shared', data: 'x'.repeat(100_000) }],
          [{ path: 'own', data: Buffer.alloc(1_000 + random.below(2_000_000), count) }],
        ],
        config: { Cmd: ['/own'] },
        compression: random.pick(['gzip', 'none']),
      },
    );
    const stdin = ociArchive([image]);
    return await this.#takeIn(image.name ?? name, image.config.digest, ['load', '--quiet'], {
      stdin,
    });
  }

  /** Boxes start from it, from then on. */
  async warm(): Promise<void> {
    await this.#state.promise('template', 'there', ['template', 'warm'], { deadlineMs: 300_000 });
  }

  /** And the boxes, which may use them. */
  async removeTemplates(): Promise<void> {
    const boxes = [...this.#state.boxes.values()];
    await this.#state.remove(boxes, ['rm', '--force', ...boxes.map(({ name }) => name)]);
    await this.#state.promise('template', undefined, ['template', 'prune', '--force']);
  }

  async #load(): Promise<string> {
    return await this.load();
  }

  async #pull(): Promise<string> {
    const { remote } = this.#state.place;
    if (remote.size === 0) return await this.#load();
    const [name, id] = this.#state.random.pick([...remote]);
    return await this.#takeIn(name, id, ['pull', '--quiet', name]);
  }

  async #takeIn(
    name: string,
    id: string,
    args: readonly string[],
    options: RunOptions = {},
  ): Promise<string> {
    await this.#state.promise(`image ${name}`, id, args, options);
    this.#state.images.set(name, id);
    return args.slice(0, 2).join(' ');
  }

  async #tag(): Promise<string> {
    const [source, id] = this.#state.random.pick([...this.#state.images]);
    const target = `test/tag-${this.#state.random.pick(NAMES)}:1`;
    return await this.#takeIn(target, id, ['tag', source, target]);
  }

  async #removeImage(): Promise<string> {
    const free = [...this.#state.images.keys()].filter((name) => name !== BUSYBOX);
    if (free.length === 0) return await this.#load();
    const name = this.#state.random.pick(free);
    await this.#state.promise(`image ${name}`, undefined, ['rmi', '--force', name]);
    this.#state.images.delete(name);
    return 'rmi';
  }

  async #create(): Promise<string> {
    const name = this.#state.freeName();
    if (name === undefined) return await this.#removeBox();
    const restart = this.#state.random.pick(POLICIES);
    const args = ['create', '--name', name, '--network', 'none', '--restart', restart];
    const done = this.#state.begin(`box ${name}`, 'any');
    const id = await this.#state.ok([...args, BUSYBOX, 'true']);
    this.#state.boxes.set(name, { name, id, restart, runs: false });
    done(this.#state.position, `${id} ${restart}`);
    return 'create';
  }

  async #update(): Promise<string> {
    const box = this.#state.anyBox();
    if (box === undefined) return await this.#create();
    const restart = this.#state.random.pick(POLICIES);
    const value = `${box.id} ${restart}`;
    await this.#state.promise(`box ${box.name}`, value, ['update', '--restart', restart, box.name]);
    this.#state.boxes.set(box.name, { ...box, restart });
    return 'update';
  }

  async #rename(): Promise<string> {
    const box = this.#state.anyBox();
    const name = this.#state.freeName();
    if (box === undefined || name === undefined) return await this.#create();
    return await this.#state.rename(box, name);
  }

  async #removeBox(): Promise<string> {
    const box = this.#state.anyBox();
    if (box === undefined) return await this.#create();
    return await this.#state.remove([box], ['rm', '--force', box.name]);
  }

  async #pruneBoxes(): Promise<string> {
    return await this.#state.remove(this.#state.idleBoxes(), ['container', 'prune', '--force']);
  }

  async #pruneImages(): Promise<string> {
    const { images, boxes, ledger } = this.#state;
    // What boxes need has to be there for the next one.
    if (boxes.size === 0) return await this.#create();
    const used = images.get(BUSYBOX);
    const gone = [...images].filter(([, id]) => id !== used).map(([name]) => name);
    const at = this.#state.position;
    const done = gone.map((name) => ledger.begin(`image ${name}`, undefined, at));
    await this.#state.ok(['image', 'prune', '--all', '--force']);
    for (const name of gone) images.delete(name);
    for (const each of done) each(this.#state.position);
    return 'image prune';
  }

  async #pool(): Promise<string> {
    const { pools } = this.#state;
    const name = this.#state.random.pick(NAMES);
    if (pools.has(name)) {
      await this.#state.promise(`pool ${name}`, undefined, ['pool', 'rm', name]);
      pools.delete(name);
      return 'pool rm';
    }
    await this.#state.promise(`pool ${name}`, '0', ['pool', 'set', '--size', '0', name]);
    pools.add(name);
    return 'pool set';
  }

  async #volume(): Promise<string> {
    const { volumes, random } = this.#state;
    const name = random.pick(NAMES);
    if (volumes.has(name)) {
      const files = this.#state.begin(`volume-file ${name}`, undefined);
      await this.#state.promise(`volume ${name}`, undefined, ['volume', 'rm', name]);
      volumes.delete(name);
      files(this.#state.position);
      return 'volume rm';
    }
    const kind = random.pick(['directory', 'disk'] as const);
    const options = kind === 'disk' ? ['--opt', 'type=disk', '--opt', 'size=32m'] : [];
    await this.#state.promise(`volume ${name}`, kind, ['volume', 'create', ...options, name]);
    volumes.set(name, kind);
    return 'volume create';
  }

  async #pruneVolumes(): Promise<string> {
    const { volumes } = this.#state;
    const done = [...volumes.keys()].flatMap((name) =>
      ['volume', 'volume-file'].map((kind) => this.#state.begin(`${kind} ${name}`, undefined)),
    );
    await this.#state.ok(['volume', 'prune', '--all', '--force']);
    volumes.clear();
    for (const each of done) each(this.#state.position);
    return 'volume prune';
  }

  /** As an administrator replaces the file, in one step. The next decision is by it. */
  async #imagePolicy(): Promise<string> {
    const { home, run } = this.#state.place;
    const path = join(home, IMAGE_POLICY);
    const images = [
      { pattern: `docker.io/test/refused-${this.#state.number()}`, deny: true },
      { pattern: '**', allowUnsigned: true },
    ];
    const done = this.#state.begin('image-policy', 'any');
    writeFileSync(`${path}.new`, JSON.stringify({ images }), { mode: 0o600, flush: true });
    renameSync(`${path}.new`, path);
    const directory = openSync(home, 'r');
    fsyncSync(directory);
    closeSync(directory);
    const at = this.#state.position;
    done(at, await explainedPolicy(run));
    return 'image policy';
  }
}
