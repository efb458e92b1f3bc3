/**
 * Which builds of one client the builder has got.
 *
 * A client asks for the progress of a build, and makes the first call of its frontend, while it
 * asks for the build. BuildKit looks for the build for six and for three seconds, and then fails
 * those calls. The control server may hold a build for longer, as while the cache of another policy
 * is removed.
 *
 * @module
 */
import { ProtobufError, readFields, textOf } from '../wire/protobuf.ts';

const REF = 1;
/** For a build that has not come yet: the client sends both calls at once. */
const COMES_MS = 5000;
/** Of those that have begun; the client has a handful. */
const MAX_KNOWN = 256;

export class SolveStarts {
  readonly #comesMs: number;
  /** `ref` of each build, in the order in which they came → resolved once the builder has it. */
  readonly #starts = new Map<string, Promise<void>>();
  /** Of calls that wait for a build to come. */
  readonly #arrivals = new Map<string, Set<() => void>>();

  constructor(comesMs = COMES_MS) {
    this.#comesMs = comesMs;
  }

  /** A build has come. Call what is returned when the builder has it, or will not get it. */
  come(message: Buffer): () => void {
    const ref = buildOf(message);
    let begun = (): void => undefined;
    const start = new Promise<void>((resolve) => {
      begun = resolve;
    });
    this.#starts.set(ref, start);
    const [oldest = ref] = this.#starts.keys();
    if (this.#starts.size > MAX_KNOWN) this.#starts.delete(oldest);
    for (const arrived of this.#arrivals.get(ref) ?? []) arrived();
    return begun;
  }

  /**
   * Waits until the builder may be asked about a build.
   *
   * @param ref empty for none, which is not waited for
   */
  async ready(ref: string, left: AbortSignal): Promise<void> {
    if (ref !== '' && !this.#starts.has(ref)) await this.#arrival(ref, left);
    await Promise.race([this.#starts.get(ref), aborted(left)]);
  }

  /** Ends too where the build does not come, or the client leaves. */
  async #arrival(ref: string, left: AbortSignal): Promise<void> {
    const waiting = this.#arrivals.get(ref) ?? new Set();
    this.#arrivals.set(ref, waiting);
    let timer: NodeJS.Timeout | undefined;
    let arrived = (): void => undefined;
    const arrival = new Promise<void>((resolve) => {
      arrived = resolve;
      timer = setTimeout(resolve, this.#comesMs);
    });
    waiting.add(arrived);
    await Promise.race([arrival, aborted(left)]);
    clearTimeout(timer);
    waiting.delete(arrived);
    if (waiting.size === 0) this.#arrivals.delete(ref);
  }
}

/** `ref` of a `SolveRequest` or a `StatusRequest`; empty where there is none. */
export function buildOf(message: Buffer): string {
  try {
    return textOf(readFields(message), REF);
  } catch (error) {
    // What takes the call apart says why it refuses it.
    if (error instanceof ProtobufError) return '';
    throw error;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
