/**
 * One attached process: its output goes to this terminal, this terminal's input goes to it.
 *
 * @module
 */
import type { Duplex } from 'node:stream';
import { unreachable } from '../client/failure.ts';
import type { Context, TerminalInput } from '../context.ts';
import { DetachScanner } from './detach-scanner.ts';
import { copyOutput } from './output.ts';

export interface AttachedStreamOptions {
  /** Whether the process has a terminal: then its output is one raw stream. */
  readonly terminal: boolean;
  /** Whether this process's input goes to it. */
  readonly input: boolean;
  /** Whether any output arrives. Without output, the stream ends with the input. Default: true. */
  readonly output?: boolean;
  readonly detachKeys: Buffer;
}

export class AttachedStream {
  readonly #context: Context;
  readonly #stream: Duplex;
  readonly #options: AttachedStreamOptions;
  readonly #output: Promise<void>;
  #detached = false;
  #closed = false;
  #stopInput: () => void = () => undefined;

  /** Output flows from now on; input waits for `begin`. */
  constructor(context: Context, stream: Duplex, options: AttachedStreamOptions) {
    this.#context = context;
    this.#stream = stream;
    this.#options = options;
    this.#output = options.output === false ? this.#inputSent() : this.#copyOutput();
    // `ended` reports the error. A stream that is aborted must not end the process.
    this.#output.catch(() => undefined);
  }

  /** Starts the input, with the terminal in raw mode where both ends are terminals. */
  async begin(): Promise<void> {
    if (!this.#options.input) {
      // The half-close tells the server that there is no input.
      this.#stream.end();
      return;
    }
    const { stdin } = this.#context;
    const restore = this.#options.terminal ? await raw(stdin) : () => undefined;
    if (this.#closed) return restore();
    const stop = this.#pumpInput(stdin);
    this.#stopInput = () => {
      stop();
      restore();
    };
  }

  /** Waits until the output has ended, or the user has detached. The terminal is then restored. */
  async ended(): Promise<'ended' | 'detached'> {
    try {
      await this.#output;
    } finally {
      this.close();
    }
    return this.#detached ? 'detached' : 'ended';
  }

  /** Aborts the stream. */
  close(): void {
    this.#closed = true;
    this.#stopInput();
    this.#stopInput = () => undefined;
    this.#stream.destroy();
  }

  /** Waits until the input has ended and is sent, or the other end is gone. */
  #inputSent(): Promise<void> {
    return new Promise((resolve) => {
      this.#stream
        .once('finish', resolve)
        .once('close', resolve)
        .on('error', () => resolve());
    });
  }

  async #copyOutput(): Promise<void> {
    try {
      await copyOutput(this.#context, this.#stream, this.#options.terminal);
    } catch (error) {
      if (this.#detached || this.#closed || endedByPeer(error)) return;
      if (!isSystemError(error)) throw error;
      throw unreachable(error, (await this.#context.config()).socket);
    }
  }

  #pumpInput(input: TerminalInput): () => void {
    const stream = this.#stream;
    const scanner = new DetachScanner(
      this.#options.terminal ? this.#options.detachKeys : Buffer.alloc(0),
    );
    const forward = (chunk: Buffer): void => {
      const { pass, detached } = scanner.scan(chunk);
      if (pass.length > 0 && stream.writable && !stream.write(pass)) input.pause();
      if (detached) {
        this.#detached = true;
        stream.destroy();
      }
    };
    const resume = (): void => {
      input.resume();
    };
    const end = (): void => {
      stream.end();
    };
    // A broken input ends like one that was read to its end: the box sees the end of its input.
    input.on('data', forward).once('end', end).once('error', end);
    stream.on('drain', resume);
    return () => {
      input.off('data', forward).off('end', end).off('error', end);
      stream.off('drain', resume);
      input.pause();
    };
  }
}

/** Few commands have a terminal: only they load the code that starts programs. */
async function raw(input: TerminalInput): Promise<() => void> {
  const { rawMode } = await import('./raw-mode.ts');
  return rawMode(input);
}

/**
 * A server that closes while input is being sent causes an error in place of the end. The exit
 * status has the result.
 */
function endedByPeer(error: unknown): boolean {
  return isSystemError(error) && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && 'syscall' in error;
}
