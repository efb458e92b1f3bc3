/**
 * One attached process: its output to ours, our input to it.
 *
 * @module
 */
import type { Duplex } from 'node:stream';
import { unreachable } from '../client/failure.ts';
import type { Context, TerminalInput } from '../context.ts';
import { DetachScanner } from './detach-scanner.ts';
import { copyOutput } from './output.ts';

export interface SessionOptions {
  /** Whether the process has a terminal: then its output is one raw stream. */
  readonly terminal: boolean;
  /** Whether our input goes to it. */
  readonly input: boolean;
  /** Whether any output comes; without, the session ends with our input. True unless said. */
  readonly output?: boolean;
  readonly detachKeys: Buffer;
}

export class Session {
  readonly #context: Context;
  readonly #stream: Duplex;
  readonly #options: SessionOptions;
  readonly #output: Promise<void>;
  #detached = false;
  #closed = false;
  #stopInput: () => void = () => undefined;

  /** Output flows from now on; input waits for `begin`. */
  constructor(context: Context, stream: Duplex, options: SessionOptions) {
    this.#context = context;
    this.#stream = stream;
    this.#options = options;
    this.#output = options.output === false ? this.#inputSent() : this.#copyOutput();
    // `ended` reports it; a session that is given up must not end the process.
    this.#output.catch(() => undefined);
  }

  /** Lets our input flow, with the terminal in raw mode where both ends are terminals. */
  async begin(): Promise<void> {
    if (!this.#options.input) {
      // Half-closing tells the server that nothing will come.
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

  /** Until output has ended, or the user has left; the terminal is as it was before. */
  async ended(): Promise<'ended' | 'detached'> {
    try {
      await this.#output;
    } finally {
      this.close();
    }
    return this.#detached ? 'detached' : 'ended';
  }

  /** Gives the session up. */
  close(): void {
    this.#closed = true;
    this.#stopInput();
    this.#stopInput = () => undefined;
    this.#stream.destroy();
  }

  /** Until our input has ended and is on its way, or the other end is gone. */
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
    // An input that breaks ends as one that is read out does: the box sees the end of its input.
    input.on('data', forward).once('end', end).once('error', end);
    stream.on('drain', resume);
    return () => {
      input.off('data', forward).off('end', end).off('error', end);
      stream.off('drain', resume);
      input.pause();
    };
  }
}

/** Few commands have a terminal: only they load what starts programs. */
async function raw(input: TerminalInput): Promise<() => void> {
  const { rawMode } = await import('./raw-mode.ts');
  return rawMode(input);
}

/** A server that closes while input is on its way leaves an error in place of the end; the exit status tells the rest. */
function endedByPeer(error: unknown): boolean {
  return isSystemError(error) && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && 'syscall' in error;
}
