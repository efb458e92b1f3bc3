/**
 * The cache of loaded templates: each is read once, held while a VM uses it, and unloaded when room
 * is needed.
 *
 * @module
 */
import { fstat } from 'node:fs';
import { promisify } from 'node:util';
import type { VmShape } from '../engine/vm/template.ts';
import { type MappedTemplate, mapTemplate } from './mapped-template.ts';
import type { StoredTemplate } from './template-directory.ts';
import type { TakenTemplate } from './templates.ts';

const statFd = promisify(fstat);
/** The unit of `st_blocks`. */
const BLOCK_BYTES = 512;

export class TemplateCache {
  readonly #entries: () => readonly StoredTemplate[];
  readonly #memoryBytes: number;
  readonly #onError: (error: unknown) => void;

  /**
   * @param memoryBytes the limit of all loaded templates together
   * @param onError called with errors of an unload, which no caller awaits
   */
  constructor(
    entries: () => readonly StoredTemplate[],
    memoryBytes: number,
    onError: (error: unknown) => void,
  ) {
    this.#entries = entries;
    this.#memoryBytes = memoryBytes;
    this.#onError = onError;
  }

  /**
   * Undefined where there is no memory for it.
   *
   * @throws Damaged
   */
  async lend(entry: StoredTemplate, shape: VmShape): Promise<TakenTemplate | undefined> {
    // Counted before it is loaded, so that nothing unloads it meanwhile.
    entry.holders += 1;
    let held = true;
    const release = (): void => {
      if (!held) return;
      held = false;
      entry.holders -= 1;
      if (entry.removed && entry.holders === 0) this.unload(entry).catch(this.#onError);
    };
    try {
      const mapped = await this.#load(entry);
      if (mapped === undefined) {
        release();
        return undefined;
      }
      return hand(mapped, shape, release);
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Unloads it; VMs keep their mappings. */
  async unload(entry: StoredTemplate): Promise<void> {
    const { mapped } = entry;
    entry.mapped = undefined;
    entry.loading = undefined;
    await mapped?.close();
  }

  /** It is no longer kept, and is unloaded with its last holder. */
  async retire(entry: StoredTemplate): Promise<void> {
    if (entry.holders === 0) await this.unload(entry);
  }

  async #load(entry: StoredTemplate): Promise<MappedTemplate | undefined> {
    if (entry.loading === undefined) {
      if (!(await this.#makeRoom(entry))) return undefined;
      entry.loading ??= mapTemplate(entry.directory, entry.record);
    }
    try {
      entry.mapped = await entry.loading;
      return entry.mapped;
    } catch (error) {
      entry.loading = undefined;
      throw error;
    }
  }

  /** Unloads the least recently used ones. */
  async #makeRoom(entry: StoredTemplate): Promise<boolean> {
    const needed = entry.record.files.ram.bytes;
    const others = this.#entries().filter((other) => other !== entry && other.mapped !== undefined);
    const sizes = new Map<StoredTemplate, number>();
    let taken = 0;
    for (const other of others) {
      const size = other.mapped === undefined ? 0 : await sizeOf(other.mapped);
      sizes.set(other, size);
      taken += size;
    }
    for (const other of others.sort((a, b) => a.lastUsed - b.lastUsed)) {
      if (taken + needed <= this.#memoryBytes) break;
      if (other.holders > 0) continue;
      await this.unload(other);
      taken -= sizes.get(other) ?? 0;
    }
    return taken + needed <= this.#memoryBytes;
  }
}

/** More than was read: pages that guests only read become memory too. */
async function sizeOf(mapped: MappedTemplate): Promise<number> {
  return (await statFd(mapped.ram)).blocks * BLOCK_BYTES;
}

function hand(mapped: MappedTemplate, shape: VmShape, release: () => void): TakenTemplate {
  const { key, memoryBytes, protocol } = mapped.record;
  const { ram, devicePath } = mapped;
  return {
    template: { key, shape, memoryBytes, ram, devicePath },
    protocol,
    writeChanges: (path, identity) => mapped.writeChanges(path, identity),
    release,
    [Symbol.dispose]: release,
  };
}
