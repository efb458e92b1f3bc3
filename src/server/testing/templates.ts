/**
 * Templates without files, for tests of those who start from them.
 *
 * @module
 */
import { writeFile } from 'node:fs/promises';
import type { VmShape } from '../../engine/vm/template.ts';
import { PROTOCOL } from '../../guest/protocol.ts';
import { NoTemplates, type TakenTemplate } from '../../templates/templates.ts';

export const TEMPLATE_KEY = 'e'.repeat(64);
const MEMORY_BYTES = 16 * 2 ** 20;

/** One fits every VM until it is dropped. */
export class FakeTemplates extends NoTemplates {
  /** Number of copies that were not released. */
  held = 0;
  /** Shapes that booted. */
  readonly boots: VmShape[] = [];
  /** Why it was dropped, each time. */
  readonly drops: string[] = [];
  /** Paths of the disks that were written. */
  readonly written: string[] = [];
  /** The version that its agent was made with. */
  protocol: number = PROTOCOL.maximum;
  /** Why no disk can be written. */
  failure: Error | undefined;
  there = true;

  override async take(shape: VmShape): Promise<TakenTemplate | undefined> {
    if (!this.there) return undefined;
    this.held += 1;
    let released = false;
    const release = (): void => {
      if (!released) this.held -= 1;
      released = true;
    };
    return {
      template: {
        ...{ key: TEMPLATE_KEY, shape, memoryBytes: MEMORY_BYTES },
        ...{ ram: 0, devicePath: '/dev/null' },
      },
      protocol: this.protocol,
      writeChanges: async (path) => {
        await writeFile(path, 'template', { flag: 'wx', mode: 0o600 });
        this.written.push(path);
        if (this.failure !== undefined) throw this.failure;
      },
      release,
      [Symbol.dispose]: release,
    };
  }

  override booted(shape: VmShape): void {
    this.boots.push(shape);
  }

  override async drop(key: string, reason: string): Promise<void> {
    if (key !== TEMPLATE_KEY) throw new Error(`no template ${key}`);
    this.there = false;
    this.drops.push(reason);
  }
}
