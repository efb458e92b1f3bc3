/**
 * The lines that a builder answers `POST /build` with: the id of the result is in one of them.
 *
 * @module
 */
import * as z from 'zod';
import type { Digest } from '../../oci/digest.ts';
import { digestText } from '../../oci/digest-text.ts';

/** Lines of progress may be long; what exceeds this is no line with an id. */
const MAX_LINE = 1024 * 1024;

const Line = z.object({
  aux: z.unknown().optional(),
  error: z.unknown().optional(),
});
const Result = z.object({ ID: digestText });

export class BuildLines {
  #rest = '';
  #id: Digest | undefined;
  #failed = false;

  /** The result's id in the builder; undefined where the build failed. */
  get id(): Digest | undefined {
    return this.#failed ? undefined : this.#id;
  }

  read(chunk: Buffer): void {
    const lines = (this.#rest + chunk.toString('latin1')).split('\n');
    this.#rest = (lines.pop() ?? '').slice(0, MAX_LINE);
    for (const text of lines) this.#line(text);
  }

  #line(text: string): void {
    if (!text.includes('"aux"') && !text.includes('"error"')) return;
    let document: unknown;
    try {
      document = JSON.parse(text);
    } catch {
      return;
    }
    const { data } = Line.safeParse(document);
    if (data?.error !== undefined) this.#failed = true;
    const result = Result.safeParse(data?.aux);
    if (result.success) this.#id = result.data.ID;
  }
}
