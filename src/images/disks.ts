/**
 * The EROFS images that boxes boot from: one per layer, made once, shared by all images that have
 * it.
 *
 * @module
 */
import { access, chmod, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Semaphore } from '../async/semaphore.ts';
import { removeDurably, renameDurably } from '../durable.ts';
import { type Digest, digestOf, hexOf } from '../oci/digest.ts';
import { sweepDirectory } from './content/blobs.ts';
import { createDurably, makePrivate } from './content/files.ts';
import { Staging } from './content/staging.ts';
import type { Converter, StoredLayer } from './converter/converter.ts';
import { DiskBudget, explainDiskError } from './disk-budget.ts';
import type { Limits } from './limits.ts';
import { type DiskTree, diskTree, recordPath } from './verity/disk-tree.ts';

/** How many disks a box may have for its layers. */
export const MAX_DISKS = 56;
const CONVERSIONS_AT_ONCE = 2;
/** Part of every name, so that a new format never uses an image of the old one. */
const FORMAT = 'v2';

/** What a disk is made from, lowest layer first. */
export interface DiskPlan<L> {
  readonly digest: Digest;
  readonly layers: readonly L[];
  /** The layers below, where the disk depends on them. */
  readonly below: readonly L[] | undefined;
}

export interface PlannableLayer {
  readonly diffId: Digest;
  /**
   * Whether it leaves out directories that its files lie in: then its disk depends on the layers
   * below.
   */
  readonly implicit: boolean;
}

/** How many of an image's lowest layers share the first disk. */
export function mergedCount(layers: readonly unknown[], most: number = MAX_DISKS): number {
  return layers.length > most ? layers.length - most + 1 : 0;
}

/** Spreads layers over at most so many disks, and at least one. */
export function planDisks<L extends PlannableLayer>(
  layers: readonly L[],
  most: number = MAX_DISKS,
): readonly DiskPlan<L>[] {
  const merged = mergedCount(layers, most);
  const plans: DiskPlan<L>[] = layers.slice(merged).map((layer, index) => {
    if (!layer.implicit) return standAlone(layer);
    const below = layers.slice(0, merged + index);
    return { digest: digestOfAll('over', [...below, layer]), layers: [layer], below };
  });
  if (merged === 0 && plans.length > 0) return plans;
  const lowest = layers.slice(0, merged);
  return [{ digest: digestOfAll('merged', lowest), layers: lowest, below: undefined }, ...plans];
}

/** The disk of a layer that depends on no other. */
export function standAlone<L extends { readonly diffId: Digest }>(layer: L): DiskPlan<L> {
  return { digest: layer.diffId, layers: [layer], below: undefined };
}

/**
 * Every disk that these layers may need, while it is not known yet which of them depend on others.
 */
export function possibleDisks(layers: readonly { readonly diffId: Digest }[]): readonly Digest[] {
  return [true, false].flatMap((implicit) =>
    planDisks(layers.map(({ diffId }) => ({ diffId, implicit }))).map(({ digest }) => digest),
  );
}

function digestOfAll(
  how: 'merged' | 'over',
  layers: readonly { readonly diffId: Digest }[],
): Digest {
  return digestOf([how, ...layers.map(({ diffId }) => diffId)].join('\n'));
}

/** `made` from the given layers, already `there`, or not possible without the layers below. */
export type Outcome = 'made' | 'there' | 'depends';

/** A tree that was verified, and the state that its disk then had. */
interface CheckedTree {
  readonly version: string;
  readonly tree: DiskTree;
}

interface DiskOptions {
  readonly limits: Limits;
  readonly converter: Converter;
}

export class Disks {
  readonly #directory: string;
  readonly #staging: string;
  readonly #options: DiskOptions;
  readonly #pool = new Semaphore(CONVERSIONS_AT_ONCE);
  readonly #running = new Map<Digest, Promise<boolean>>();
  readonly #trees = new Map<Digest, Promise<CheckedTree | undefined>>();

  private constructor(directory: string, staging: string, options: DiskOptions) {
    this.#directory = directory;
    this.#staging = staging;
    this.#options = options;
  }

  static async open(directory: string, staging: string, options: DiskOptions): Promise<Disks> {
    // VMMs get the disks as file descriptors.
    await makePrivate(directory);
    return new Disks(directory, staging, options);
  }

  path(digest: Digest): string {
    return join(this.#directory, this.#name(digest));
  }

  /** Makes the disk where it is missing. Other callers that ask for the same disk wait for it. */
  async ensure(plan: DiskPlan<StoredLayer>): Promise<Outcome> {
    return (await this.#ensure(plan)).outcome;
  }

  /** As `ensure`, and also checks these layers where the disk exists already. */
  async ensureVerified(plan: DiskPlan<StoredLayer>): Promise<Outcome> {
    const { outcome, checked } = await this.#ensure(plan);
    if (!checked) await this.#pool.run(() => this.#verify(plan.layers));
    return outcome;
  }

  /**
   * The hash tree of an existing disk. The first call makes it. Each process checks it block by
   * block once, and again after the file changes.
   *
   * @throws A3sError `invalid-image`, `disk-full`
   */
  async tree(digest: Digest): Promise<DiskTree> {
    // Calls for one disk run one after another: the second finds the disk that the first made.
    const before = this.#trees.get(digest) ?? Promise.resolve(undefined);
    const current = before.then((known) => this.#pool.run(() => this.#checkTree(digest, known)));
    this.#trees.set(
      digest,
      current.catch(() => undefined),
    );
    return (await current).tree;
  }

  /** Deletes every disk that is not in `reachable`. */
  async sweep(reachable: ReadonlySet<Digest>): Promise<void> {
    const names = new Set(
      [...reachable].flatMap((digest) => [this.#name(digest), recordPath(this.#name(digest))]),
    );
    await sweepDirectory(this.#directory, (entry) => names.has(entry.name));
  }

  /** @returns also whether these layers were read to their ends and match their diff IDs */
  async #ensure(
    plan: DiskPlan<StoredLayer>,
  ): Promise<{ readonly outcome: Outcome; readonly checked: boolean }> {
    if (await isThere(this.path(plan.digest))) return { outcome: 'there', checked: false };
    const running = this.#running.get(plan.digest);
    if (running !== undefined) {
      return { outcome: (await running) ? 'there' : 'depends', checked: false };
    }
    const conversion = this.#pool
      .run(() => this.#convert(plan))
      .finally(() => this.#running.delete(plan.digest));
    this.#running.set(plan.digest, conversion);
    return { outcome: (await conversion) ? 'made' : 'depends', checked: true };
  }

  async #convert(plan: DiskPlan<StoredLayer>): Promise<boolean> {
    const staging = await Staging.create(this.#staging);
    try {
      const path = staging.nextPath();
      let written = false;
      await createDurably(path, async (file) => {
        const { limits, converter } = this.#options;
        const { layers, below } = plan;
        const { budget } = staging;
        written = await converter({ layers, below, output: file, budget, limits });
      });
      if (!written) return false;
      await chmod(path, 0o400);
      // A file that a failed sweep left here belongs to another disk.
      const record = recordPath(this.path(plan.digest));
      if (await isThere(record)) await removeDurably(record);
      await renameDurably(path, this.path(plan.digest));
      return true;
    } catch (error) {
      throw explainDiskError(error, this.#directory);
    } finally {
      await staging.remove();
    }
  }

  async #checkTree(digest: Digest, known: CheckedTree | undefined): Promise<CheckedTree> {
    const path = this.path(digest);
    if (known !== undefined && known.version === (await versionOf(path))) return known;
    const tree = await diskTree({ path, diffId: digest, staging: this.#staging });
    return { version: await versionOf(path), tree };
  }

  async #verify(layers: readonly StoredLayer[]): Promise<void> {
    const { limits, converter } = this.#options;
    const budget = new DiskBudget(this.#staging, 0);
    await converter({ layers, below: undefined, output: undefined, budget, limits });
  }

  #name(digest: Digest): string {
    return `${hexOf(digest)}.${FORMAT}.erofs`;
  }
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

/** Differs once a file was written to or replaced. */
async function versionOf(path: string): Promise<string> {
  const { ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
  return [ino, size, mtimeNs, ctimeNs].join(' ');
}
