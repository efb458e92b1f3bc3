/**
 * The output of a container that runs: from the agent to the log, and to clients that are attached.
 *
 * @module
 */
import { MemoryOutput } from '../../boxes/output/memory-output.ts';
import { now } from '../../boxes/record/clock.ts';
import type { OutputChunk, OutputStream } from '../../guest/frame.ts';
import type { OutputReader } from '../../guest/output.ts';
import type { ContainerLog } from './container-log.ts';

/** A container starts once. */
const RUN = 1;

export class ContainerOutput {
  /** Undefined where the container has no log. */
  readonly log: ContainerLog | undefined;
  readonly #live = new MemoryOutput();
  readonly #ended = new AbortController();
  #next = 0;

  constructor(log: ContainerLog | undefined) {
    this.log = log;
  }

  /** Where the output goes on. */
  get next(): number {
    return this.log?.next ?? this.#next;
  }

  /**
   * Copies the output up to its end, and has the agent forget what the log has.
   *
   * @param output from `next` on
   * @throws A3sError what the connection breaks with; the copy can go on with another reader
   */
  async copy(output: AsyncIterable<OutputChunk> & Pick<OutputReader, 'ack'>): Promise<void> {
    const from = this.next;
    for await (const chunk of output) {
      const { offset, data } = chunk;
      const stream = chunk.stream === 'stdout' ? 1 : 2;
      this.#live.append({ stream, run: RUN, time: now(), offset, payload: data });
      await this.log?.write(chunk);
      await this.#live.flush();
      this.#next = offset + data.length;
      // What is safe may be older than this reader.
      output.ack(Math.max(from, this.log?.safe ?? this.#next));
    }
    await this.finish();
  }

  /** No more output comes: what is left of a line is written. */
  async finish(): Promise<void> {
    await this.log?.finish();
    this.#live.endRun(RUN);
  }

  /**
   * What comes from now on, up to the end. A client that takes it slowly holds the container back,
   * for a while.
   */
  async *follow(signal: AbortSignal): AsyncGenerator<{ stream: OutputStream; data: Buffer }> {
    const following = AbortSignal.any([signal, this.#ended.signal]);
    const from = await this.#live.end();
    for await (const { stream, payload } of this.#live.read(from, { run: RUN }, following)) {
      yield { stream: stream === 1 ? 'stdout' : 'stderr', data: payload };
    }
  }

  /** The container has ended, or this server leaves it. */
  async close(): Promise<void> {
    this.#live.endRun(RUN);
    await this.#live.close();
    this.#ended.abort();
    await this.log?.close();
  }
}
