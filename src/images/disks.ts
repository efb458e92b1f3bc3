/**
 * The EROFS images that boxes boot from: one per layer, made once, shared by all images that have it.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { access, chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { sweepDirectory } from './blobs.ts';
import { type Digest, hexOf } from './digest.ts';
import { explainDiskError } from './disk-budget.ts';
import { createDurably, publish } from './files.ts';
import {
  type ConvertOptions,
  convertLayers,
  type LayerSource,
  verifyLayer,
} from './layer/convert.ts';
import { Semaphore } from './semaphore.ts';
import { Staging } from './staging.ts';

/** How many disks a box may have for its layers. */
export const MAX_DISKS = 56;
const CONVERSIONS_AT_ONCE = 2;
/** Part of every name: a change of the format must not meet images of the old one. */
const FORMAT = 'v1';

/** The layers of one disk, lowest first. */
export interface DiskPlan<L extends { readonly diffId: Digest }> {
  /** The layer's diff ID, or a digest of all of them where it has none or several. */
  readonly digest: Digest;
  readonly layers: readonly L[];
}

/** Spreads layers over at most `MAX_DISKS` disks: the lowest ones share the first where there are more. */
export function planDisks<L extends { readonly diffId: Digest }>(
  layers: readonly L[],
): readonly DiskPlan<L>[] {
  const [only] = layers;
  if (only === undefined) return [{ digest: digestOfAll([]), layers: [] }];
  const merged = Math.max(1, layers.length - MAX_DISKS + 1);
  const lowest = layers.slice(0, merged);
  const single = layers.slice(merged).map((layer) => ({ digest: layer.diffId, layers: [layer] }));
  return [{ digest: merged === 1 ? only.diffId : digestOfAll(lowest), layers: lowest }, ...single];
}

function digestOfAll(layers: readonly { readonly diffId: Digest }[]): Digest {
  const text = layers.map(({ diffId }) => `${diffId}\n`).join('');
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

export class Disks {
  readonly #directory: string;
  readonly #staging: string;
  readonly #options: ConvertOptions;
  readonly #pool = new Semaphore(CONVERSIONS_AT_ONCE);
  readonly #running = new Map<Digest, Promise<void>>();

  private constructor(directory: string, staging: string, options: ConvertOptions) {
    this.#directory = directory;
    this.#staging = staging;
    this.#options = options;
  }

  static async open(directory: string, staging: string, options: ConvertOptions): Promise<Disks> {
    // VMMs with user ids of their own pass through, and may not look around.
    await mkdir(directory, { recursive: true, mode: 0o711 });
    await chmod(directory, 0o711);
    return new Disks(directory, staging, options);
  }

  path(digest: Digest): string {
    return join(this.#directory, this.#name(digest));
  }

  /**
   * Makes the disk where it is missing; whoever asks for the same one meanwhile waits for it.
   *
   * @returns whether it was made from these very layers just now
   */
  async ensure(plan: DiskPlan<LayerSource>): Promise<boolean> {
    if (await this.#exists(plan.digest)) return false;
    const running = this.#running.get(plan.digest);
    if (running !== undefined) {
      await running;
      return false;
    }
    const conversion = this.#pool
      .run(() => this.#convert(plan))
      .finally(() => this.#running.delete(plan.digest));
    this.#running.set(plan.digest, conversion);
    await conversion;
    return true;
  }

  /** As `ensure`, and checks these very layers even where others made the disk. */
  async ensureVerified(plan: DiskPlan<LayerSource>): Promise<void> {
    if (await this.ensure(plan)) return;
    await this.#pool.run(async () => {
      for (const layer of plan.layers) await verifyLayer(layer, this.#options);
    });
  }

  /** Deletes every disk that is not in `reachable`. */
  async sweep(reachable: ReadonlySet<Digest>): Promise<void> {
    const names = new Set([...reachable].map((digest) => this.#name(digest)));
    await sweepDirectory(this.#directory, (entry) => names.has(entry.name));
  }

  async #convert(plan: DiskPlan<LayerSource>): Promise<void> {
    const staging = await Staging.create(this.#staging);
    try {
      const path = staging.nextPath();
      await createDurably(path, (file) =>
        convertLayers(plan.layers, file, staging.budget, this.#options),
      );
      await chmod(path, 0o444);
      await publish(path, this.path(plan.digest));
    } catch (error) {
      throw explainDiskError(error, this.#directory);
    } finally {
      await staging.remove();
    }
  }

  #name(digest: Digest): string {
    return `${hexOf(digest)}.${FORMAT}.erofs`;
  }

  async #exists(digest: Digest): Promise<boolean> {
    return await access(this.path(digest)).then(
      () => true,
      () => false,
    );
  }
}
