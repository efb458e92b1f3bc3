/**
 * The host side of an emulated host's command channel: programs in the emulated host, several at a
 * time, over one socket. The frames are those of `agent.c`.
 *
 * @module
 */
import type { Socket } from 'node:net';

export interface CommandOptions {
  readonly cwd?: string;
  /** The whole environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: Uint8Array | string;
  /** After it the command is killed with its process group, and `run` rejects. */
  readonly deadlineMs?: number;
  /** Also takes output while it comes. */
  readonly onOutput?: (chunk: Buffer, stream: 'stdout' | 'stderr') => void;
}

export interface CommandResult {
  /** The exit status, or the number of the signal as `signal 9`. */
  readonly code: number | string;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

const HEADER = 9;
const INPUT_CHUNK = 32_768;
const DEADLINE_MS = 120_000;
const KILL = 9;
const ENVIRONMENT = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  LANG: 'C.UTF-8',
};

interface Running {
  readonly stdout: Buffer[];
  readonly stderr: Buffer[];
  readonly onOutput: CommandOptions['onOutput'];
  readonly ended: (code: number | string) => void;
  readonly lost: (error: Error) => void;
}

/** A command that runs. */
export interface StartedCommand {
  /** Settles when it ended and nobody holds its outputs any more. */
  readonly result: Promise<CommandResult>;
  write(input: Uint8Array | string): void;
  endInput(): void;
  /** To its process group. */
  kill(signal: number): void;
}

/** Every command ends with it when the host goes away. */
export class HostGone extends Error {
  override readonly name = 'HostGone';
}

export class CommandChannel {
  readonly #socket: Socket;
  readonly #running = new Map<number, Running>();
  #received = Buffer.alloc(0);
  #next = 1;
  #failure: Error | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    const gone = (cause?: Error): void =>
      this.#fail(new HostGone('the emulated host is gone', { cause }));
    socket.on('error', gone);
    socket.on('close', () => gone());
  }

  /** Starts a program, whose input stays open. */
  start(argv: readonly string[], options: CommandOptions = {}): StartedCommand {
    const number = this.#next++;
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    const code = new Promise<number | string>((ended, lost) => {
      if (this.#failure !== undefined) lost(this.#failure);
      this.#running.set(number, { stdout, stderr, onOutput: options.onOutput, ended, lost });
    });
    const env = Object.entries(options.env ?? ENVIRONMENT).map(
      ([name, value]) => `${name}=${value}`,
    );
    const words = [options.cwd ?? '/', String(argv.length), ...argv, ...env];
    this.#send(number, 'S', Buffer.from(words.map((word) => `${word}\0`).join('')));
    return {
      result: code.then((code) => ({
        code,
        stdout: Buffer.concat(stdout),
        stderr: Buffer.concat(stderr),
      })),
      write: (input) => {
        const bytes = Buffer.from(input);
        for (let at = 0; at < bytes.length; at += INPUT_CHUNK) {
          this.#send(number, 'I', bytes.subarray(at, at + INPUT_CHUNK));
        }
      },
      endInput: () => this.#send(number, 'E', Buffer.alloc(0)),
      kill: (signal) => this.#send(number, 'K', Buffer.from([signal])),
    };
  }

  /** Runs a program to its end. Rejects at its deadline, and when the host goes away. */
  async run(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    const deadlineMs = options.deadlineMs ?? DEADLINE_MS;
    const command = this.start(argv, options);
    command.write(options.stdin ?? '');
    command.endInput();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        command.kill(KILL);
        reject(new Error(`no end within ${deadlineMs} ms: ${argv.join(' ')}`));
      }, deadlineMs);
    });
    try {
      return await Promise.race([command.result, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  #send(number: number, kind: string, payload: Buffer): void {
    const header = Buffer.alloc(HEADER);
    header.writeUInt32LE(payload.length, 0);
    header.writeUInt32LE(number, 4);
    header.write(kind, 8, 'latin1');
    this.#socket.write(Buffer.concat([header, payload]));
  }

  #receive(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    while (this.#received.length >= HEADER) {
      const end = HEADER + this.#received.readUInt32LE(0);
      if (this.#received.length < end) return;
      const number = this.#received.readUInt32LE(4);
      this.#take(
        number,
        this.#received.toString('latin1', 8, HEADER),
        this.#received.subarray(HEADER, end),
      );
      this.#received = this.#received.subarray(end);
    }
  }

  #take(number: number, kind: string, payload: Buffer): void {
    const running = this.#running.get(number);
    if (running === undefined) return;
    if (kind === 'X') {
      this.#running.delete(number);
      const [status = 0, signal = 0] = payload;
      running.ended(signal === 0 ? status : `signal ${signal}`);
      return;
    }
    const stream = kind === 'O' ? 'stdout' : 'stderr';
    running[stream].push(payload);
    running.onOutput?.(payload, stream);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { lost } of this.#running.values()) lost(this.#failure);
    this.#running.clear();
  }
}
