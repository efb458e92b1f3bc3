/**
 * The lines that a builder answers `POST /build` with.
 *
 * The id of the result is in them, and is the builder's own. The image has another one here, so
 * lines with an id are held back until it is known.
 *
 * @module
 */
import * as z from 'zod';
import type { Digest } from '../../oci/digest.ts';
import { digestText } from '../../oci/digest-text.ts';
import { parseJson } from '../../parse-json.ts';

/** Lines of progress may be long; what exceeds this is no line with an id. */
const MAX_LINE = 1024 * 1024;
/** As many digits of an id as Docker shows. */
const SHORT = 12;

const Line = z.looseObject({
  aux: z.unknown().optional(),
  error: z.unknown().optional(),
  stream: z.unknown().optional(),
});
type Line = z.infer<typeof Line>;
const Result = z.object({ ID: digestText });

const BUILT = /^Successfully built [0-9a-f]{12}\n$/;

export class BuildLines {
  readonly #quiet: boolean;
  #rest = Buffer.alloc(0);
  #id: Digest | undefined;
  #failed = false;
  /** The line of BuildKit or of the classic builder with the last id. */
  #result: Line | undefined;
  #built = false;

  /** @param quiet the only line of a build without output is the id */
  constructor({ quiet = false }: { readonly quiet?: boolean } = {}) {
    this.#quiet = quiet;
  }

  /** The result's id in the builder; undefined where the build failed. */
  get id(): Digest | undefined {
    return this.#failed ? undefined : this.#id;
  }

  /** What of these bytes, and of those before them, goes to the client now. */
  read(chunk: Buffer): Buffer {
    const bytes = Buffer.concat([this.#rest, chunk]);
    const end = bytes.lastIndexOf('\n') + 1;
    this.#rest = bytes.subarray(end);
    const passed: Buffer[] = [];
    for (let at = 0; at < end; ) {
      const next = bytes.indexOf('\n', at) + 1;
      const line = bytes.subarray(at, next);
      if (!this.#holds(line)) passed.push(line);
      at = next;
    }
    // Too long to be one with an id, and to be kept.
    if (this.#rest.length > MAX_LINE) passed.push(this.end());
    return Buffer.concat(passed);
  }

  /** What came after the last line end. */
  end(): Buffer {
    const rest = this.#rest;
    this.#rest = Buffer.alloc(0);
    return rest;
  }

  /** The lines that were held back, with the id that the image has here. */
  *of(id: string): Generator<unknown> {
    if (this.#quiet && this.#result === undefined) yield { stream: `${id}\n` };
    if (this.#result !== undefined) yield { ...this.#result, aux: { ID: id } };
    if (this.#built) {
      const digits = id.slice(id.indexOf(':') + 1);
      yield { stream: `Successfully built ${digits.slice(0, SHORT)}\n` };
    }
  }

  #holds(bytes: Buffer): boolean {
    const text = bytes.toString();
    if (!/"(aux|error|stream)"/.test(text)) return false;
    const line = Line.safeParse(parseJson(text)).data;
    if (line === undefined) return false;
    if (line.error !== undefined) this.#failed = true;
    const result = Result.safeParse(line.aux);
    if (result.success) {
      this.#id = result.data.ID;
      this.#result = line;
      return true;
    }
    const { stream } = line;
    if (typeof stream !== 'string') return false;
    if (BUILT.test(stream)) {
      this.#built = true;
      return true;
    }
    const alone = this.#quiet ? digestText.safeParse(stream.trim()) : undefined;
    if (alone?.success === true) this.#id = alone.data;
    return alone?.success === true;
  }
}
