/**
 * A context that a test controls.
 *
 * @module
 */
import { PassThrough, Writable } from 'node:stream';
import { runCli } from '../cli.ts';
import { Client } from '../client/client.ts';
import type { Context } from '../context.ts';

export interface Transcript {
  readonly status: number;
  readonly stdout: string;
  readonly bytes: Buffer;
  readonly stderr: string;
}

export interface FakeEnds {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: PassThrough;
  /** The directory of the installation's state. */
  readonly home?: string;
  /** Where the boot set of the installation lies. */
  readonly bootDir?: string;
  readonly cwd?: string;
  /** Whether output is a terminal. */
  readonly terminal?: true;
  /** The width of that terminal. */
  readonly columns?: number;
  /** Whether no server runs, for commands that start none. */
  readonly noServer?: true;
  /** Called with each piece of output. */
  readonly onOutput?: (soFar: string, signal: (name: NodeJS.Signals) => void) => void;
  /** Called when a command requests the server. */
  readonly onConnect?: (signal: (name: NodeJS.Signals) => void) => void;
}

/** Runs one command line against the server on `socket`. */
export async function transcript(
  socket: string,
  args: readonly string[],
  ends: FakeEnds = {},
): Promise<Transcript> {
  const handlers = new Set<(signal: NodeJS.Signals) => void>();
  const signal = (name: NodeJS.Signals): void => {
    for (const handler of [...handlers]) handler(name);
  };
  const stdout = new Sink((soFar) => ends.onOutput?.(soFar, signal));
  stdout.isTTY = ends.terminal === true;
  stdout.columns = ends.columns ?? 0;
  const stderr = new Sink(() => undefined);
  const context: Context = {
    config: async () => ({
      home: ends.home ?? '/nonexistent',
      runtimeDir: '/nonexistent',
      socket,
      bootDir: ends.bootDir ?? '/nonexistent',
      leastJail: 'one-feature',
      startTimeoutMs: 120_000,
      kvmTimeoutMs: 10_000,
      engine: undefined,
      krunLibrary: undefined,
      builder: { directory: '/nowhere', idleMs: 60_000, snapshots: false },
      templates: { enabled: false, max: 8, maxAgeMs: 86_400_000 },
    }),
    installDir: '/nonexistent',
    env: ends.env ?? {},
    cwd: ends.cwd ?? '/srv',
    stdin: ends.stdin ?? new PassThrough().end(),
    stdout,
    stderr,
    async connect() {
      ends.onConnect?.(signal);
      return new Client(socket);
    },
    async connectRunning() {
      return ends.noServer === true ? undefined : new Client(socket);
    },
    onSignals(_, handler) {
      handlers.add(handler);
      return { [Symbol.dispose]: () => void handlers.delete(handler) };
    },
  };
  const status = await runCli(args, context);
  return { status, stdout: stdout.text, bytes: stdout.bytes, stderr: stderr.text };
}

class Sink extends Writable {
  isTTY = false;
  columns = 0;
  readonly #chunks: Buffer[] = [];
  readonly #onOutput: (soFar: string) => void;

  constructor(onOutput: (soFar: string) => void) {
    super();
    this.#onOutput = onOutput;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get text(): string {
    return this.bytes.toString();
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.#chunks.push(chunk);
    if (this.#chunks.length < 100) this.#onOutput(this.text);
    done();
  }
}
