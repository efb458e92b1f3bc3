/**
 * The execs that this server knows: further processes of running boxes. They are forgotten when
 * their run ends.
 *
 * @module
 */
import type { ProcessSpec } from '@a3s-box/policies';
import { A3sError } from '../../errors.ts';

export interface Exec {
  readonly id: string;
  readonly boxId: string;
  readonly run: number;
  readonly process: ProcessSpec;
  readonly privileged: boolean;
  readonly attach: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean };
  readonly detachKeys: Uint8Array;
  state: 'created' | 'running' | 'exited';
  pid: number;
  exitCode: number | undefined;
}

/** The most execs that one box may have on record. The oldest that has exited makes room. */
const MAX_PER_BOX = 512;

export class Execs {
  readonly #execs = new Map<string, Exec>();

  /** @throws A3sError `conflict` when the box has too many that have not exited */
  add(exec: Exec): void {
    const siblings = this.ofBox(exec.boxId);
    if (siblings.length >= MAX_PER_BOX) {
      const oldest = siblings.find(({ state }) => state === 'exited');
      if (oldest === undefined) {
        throw new A3sError('conflict', `Cannot exec: the box has ${MAX_PER_BOX} execs already`);
      }
      this.#execs.delete(oldest.id);
    }
    this.#execs.set(exec.id, exec);
  }

  /** By id, or by a prefix that no other exec shares. @throws A3sError `no-such-exec` */
  expect(reference: string): Exec {
    const exact = this.#execs.get(reference);
    if (exact !== undefined) return exact;
    const matches = [...this.#execs.values()].filter(({ id }) => id.startsWith(reference));
    const [only] = matches;
    if (only === undefined || matches.length > 1 || reference === '') {
      throw new A3sError('no-such-exec', `No such exec instance: ${reference}`);
    }
    return only;
  }

  ofBox(boxId: string): Exec[] {
    return [...this.#execs.values()].filter((exec) => exec.boxId === boxId);
  }

  forgetBox(boxId: string): void {
    for (const { id } of this.ofBox(boxId)) this.#execs.delete(id);
  }
}
