/**
 * Writes the log of a container. A server that starts later goes on where this one stopped: no line
 * is lost, and none is written twice.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { now, timestamp } from '../../boxes/record/clock.ts';
import { A3sError } from '../../errors.ts';
import type { OutputChunk, OutputStream } from '../../guest/frame.ts';
import { LogFile, writtenSince } from './log-file.ts';
import { encodeLine, type LogLine, LogLines } from './log-lines.ts';
import type { LogPosition } from './log-position.ts';

/** Output that may come between two records of the position: a quarter of what the agent keeps. */
const RECORD_BYTES = 256 * 1024;
/** How long a container waits for a file that cannot be written, before its output is lost. */
const HOLD_MS = 10_000;
const RETRY_MS = 500;

export interface ContainerLogOptions {
  readonly path: string;
  /** From the container's record. */
  readonly position: LogPosition;
  /** Keeps the position on record. */
  readonly save: (position: LogPosition) => void;
  readonly onFailure: (error: unknown) => void;
  /** Aborts when this server leaves the container. */
  readonly signal: AbortSignal;
  readonly holdMs?: number;
}

export class ContainerLog {
  readonly #options: ContainerLogOptions;
  readonly #lines: LogLines;
  /** Bytes of each stream that the file has already: they are skipped. */
  readonly #skip: Record<OutputStream, number>;
  /** Bytes of each stream that the file has. */
  readonly #written: Record<OutputStream, number>;
  /** Undefined: it could not be opened yet. */
  #file: LogFile | undefined;
  #recorded: LogPosition;
  #lost: number;
  #error: string;
  /** The last attempt to write failed, and the hold is over. */
  #failing = false;
  /** The last position could not be put on record. */
  #unsaved = false;
  #closed = false;
  /** One at a time: lines, and the change of the file. */
  #turn: Promise<void> = Promise.resolve();

  private constructor(
    options: ContainerLogOptions,
    file: LogFile | undefined,
    skip: Record<OutputStream, number>,
  ) {
    const { position } = options;
    this.#options = options;
    this.#file = file;
    this.#skip = skip;
    this.#written = { ...skip };
    this.#lines = new LogLines({ offset: position.offset, stdout: 0, stderr: 0 });
    this.#recorded = position;
    this.#lost = position.lost;
    this.#error = position.error;
  }

  /** @throws A3sError `invalid-argument` where the file cannot be opened */
  static async open(options: ContainerLogOptions): Promise<ContainerLog> {
    return await ContainerLog.#continued(options, await LogFile.open(options.path));
  }

  /**
   * Goes on with the log of a container that runs. Where the file cannot be opened, each line tries
   * again, as it does where the file cannot be written.
   */
  static async resume(options: ContainerLogOptions): Promise<ContainerLog> {
    const file = await LogFile.open(options.path).catch((error: unknown) => {
      options.onFailure(error);
      return undefined;
    });
    return await ContainerLog.#continued(options, file);
  }

  static async #continued(
    options: ContainerLogOptions,
    file: LogFile | undefined,
  ): Promise<ContainerLog> {
    const { path, position } = options;
    const since = await writtenSince(path, position.file).catch((error: unknown) => {
      // Some lines come twice then, which is better than a container that nobody follows.
      options.onFailure(error);
      return { stdout: 0, stderr: 0 };
    });
    const skip = {
      stdout: position.written.stdout + since.stdout,
      stderr: position.written.stderr + since.stderr,
    };
    const log = new ContainerLog(options, file, skip);
    log.#record();
    return log;
  }

  /** The agent can forget what is below. */
  get safe(): number {
    return this.#recorded.offset;
  }

  /** Where the output goes on. */
  get next(): number {
    return this.#lines.at.offset;
  }

  /** Settles when the lines that end with this chunk are in the file, or are lost. */
  async write(chunk: Pick<OutputChunk, 'stream' | 'data'>): Promise<void> {
    await this.#exclusively(() => this.#append(this.#lines.push(chunk)));
    const { at } = this.#lines;
    if (at.offset - this.#recorded.offset >= RECORD_BYTES) this.#record();
  }

  /** The output has ended. */
  async finish(): Promise<void> {
    await this.#exclusively(() => this.#append(this.#lines.end()));
    this.#record();
  }

  /**
   * Continues in a new file of the same name: the old one has another name now.
   *
   * @throws A3sError `invalid-argument`; the old file goes on then; `conflict` after `close`
   */
  async reopen(): Promise<void> {
    await this.#exclusively(async () => {
      if (this.#closed) {
        const { path } = this.#options;
        throw new A3sError('conflict', `Cannot reopen the log ${path}: its container has ended`);
      }
      const file = await LogFile.open(this.#options.path);
      const before = this.#file;
      this.#file = file;
      // Before anything is written: lines of the new file count from here.
      this.#record();
      await before?.close();
    });
  }

  async close(): Promise<void> {
    await this.#exclusively(async () => {
      this.#closed = true;
      await this.#file?.close();
    });
  }

  async #exclusively(work: () => Promise<void>): Promise<void> {
    const before = this.#turn;
    const mine = before.then(work);
    this.#turn = mine.catch(() => undefined);
    await mine;
  }

  async #append(lines: readonly LogLine[]): Promise<void> {
    const fresh = lines.map((line) => this.#unwritten(line)).filter((line) => line !== undefined);
    if (fresh.length === 0) return;
    const time = timestamp(now());
    const bytes = Buffer.concat(fresh.map((line) => encodeLine(line, time)));
    const until = performance.now() + (this.#options.holdMs ?? HOLD_MS);
    for (;;) {
      try {
        this.#file ??= await LogFile.open(this.#options.path);
        await this.#file.append(bytes);
        this.#failing = false;
        break;
      } catch (error) {
        this.#options.signal.throwIfAborted();
        if (!this.#failing) this.#options.onFailure(error);
        if (this.#failing || performance.now() >= until) {
          this.#failing = true;
          this.#lost += fresh.length;
          this.#error = error instanceof Error ? error.message : String(error);
          break;
        }
        await delay(RETRY_MS, undefined, { signal: this.#options.signal });
      }
    }
    for (const line of fresh) this.#written[line.stream] += sizeOf(line);
  }

  /** What of a line is not in the file; undefined where all of it is. */
  #unwritten(line: LogLine): LogLine | undefined {
    const skip = this.#skip[line.stream];
    if (skip === 0) return line;
    const size = sizeOf(line);
    this.#skip[line.stream] = Math.max(0, skip - size);
    return skip >= size ? undefined : { ...line, text: line.text.subarray(skip) };
  }

  #record(): void {
    const from = this.#lines.waitingFrom;
    const file =
      this.#file === undefined
        ? this.#recorded.file
        : { inode: this.#file.inode, size: this.#file.size };
    const next: LogPosition = {
      offset: from.offset,
      written: {
        stdout: Math.max(0, this.#written.stdout - from.stdout),
        stderr: Math.max(0, this.#written.stderr - from.stderr),
      },
      ...(file === undefined ? {} : { file }),
      ...{ lost: this.#lost, error: this.#error },
    };
    try {
      this.#options.save(next);
    } catch (error) {
      // The agent keeps what is not on record. The next record may have room.
      if (!this.#unsaved) this.#options.onFailure(error);
      this.#unsaved = true;
      return;
    }
    this.#unsaved = false;
    this.#recorded = next;
  }
}

/** Bytes of the output that a line has. */
function sizeOf({ text, full }: LogLine): number {
  return text.length + (full ? 1 : 0);
}
