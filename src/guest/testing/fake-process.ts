/**
 * A process of the fake agent: a scripted program with input, output, signals and a terminal.
 *
 * @module
 */
import { EventEmitter, once } from 'node:events';
import { constants } from 'node:os';
import type { ProcessSpec } from '@a3s-box/policies';
import { type Exit, MAIN, type Process, type TerminalSize } from '../protocol.ts';
import { FakeOutput } from './fake-output.ts';

/** The name of a signal, which is given by it or by its number. */
export function signalName(signal: string): string | undefined {
  return Object.entries(constants.signals).find(
    ([name, number]) => name === signal || String(number) === signal,
  )?.[0];
}

/** What a scripted program sees of its process. */
export interface FakeProgramContext {
  readonly spec: ProcessSpec;
  stdout(text: string | Buffer): Promise<void>;
  stderr(text: string | Buffer): Promise<void>;
  /** The next piece of input; undefined at its end. */
  read(): Promise<Buffer | undefined>;
  /** Stops reading: a client that writes the input learns that it is closed. */
  closeStdin(): void;
  /** Handles a signal instead of dying from it. */
  onSignal(name: NodeJS.Signals, handler: () => void): void;
  size(): TerminalSize;
  onResize(handler: (size: TerminalSize) => void): void;
  /** Aborted when the process was killed. */
  readonly killed: AbortSignal;
  /** Ends the process as the kernel's out-of-memory killer does. */
  outOfMemory(): void;
}

/** Resolves with the exit code. */
export type FakeProgram = (context: FakeProgramContext) => Promise<number>;

const INPUT_BYTES = 64 * 1024;
const IGNORED_BY_DEFAULT = new Set(['SIGCHLD', 'SIGCONT', 'SIGURG', 'SIGWINCH']);
const CONTROL_CHARACTERS = new Map<number, NodeJS.Signals>([
  [0x03, 'SIGINT'],
  [0x1c, 'SIGQUIT'],
]);

export class FakeProcess {
  readonly id: string;
  readonly spec: ProcessSpec;
  readonly output = new FakeOutput();
  /** Whether a client holds the input. */
  stdinTaken = false;
  /** It was started, and waits for what it needs. */
  waiting = false;
  #pid = 0;
  #startedAt: string | null = null;
  #exit: Exit | null = null;
  #size: TerminalSize;
  #input: Buffer[] = [];
  #inputBytes = 0;
  #inputEnded: boolean;
  #inputClosed: boolean;
  #signals = new Map<string, () => void>();
  #killed = new AbortController();
  #events = new EventEmitter().setMaxListeners(0);
  #displaceReader: () => void = () => undefined;

  constructor(id: string, spec: ProcessSpec) {
    this.id = id;
    this.spec = spec;
    this.#size = spec.size ?? { rows: 24, columns: 80 };
    this.#inputEnded = !spec.stdin;
    this.#inputClosed = !spec.stdin;
  }

  get state(): Process['state'] {
    if (this.#exit !== null) return 'exited';
    if (this.#startedAt !== null) return 'running';
    return this.waiting ? 'waiting' : 'created';
  }

  get exit(): Exit | null {
    return this.#exit;
  }

  /** Whether the process no longer reads its input. */
  get inputClosed(): boolean {
    return this.#inputClosed;
  }

  describe(): Process {
    return {
      id: this.id,
      state: this.state,
      pid: this.#pid,
      startedAt: this.#startedAt,
      exit: this.#exit,
      written: this.output.written,
      acknowledged: this.output.acknowledged,
      ...(this.id === MAIN && this.#startedAt !== null ? { user: userOf(this.spec) } : {}),
    };
  }

  start(pid: number, program: FakeProgram): void {
    this.#pid = pid;
    this.#startedAt = new Date().toISOString();
    program(this.#context()).then(
      (exitCode) => this.#end({ exitCode, signal: null, oomKilled: false }),
      (error: unknown) => {
        if (this.#exit !== null) return;
        void this.output.write('stderr', Buffer.from(`${String(error)}\n`));
        this.#end({ exitCode: 255, signal: null, oomKilled: false });
      },
    );
  }

  /** Ends it before it came to run, or with the guest's own reason. */
  give(exitCode: number, error: NonNullable<Exit['error']>): void {
    this.#end({ exitCode, signal: null, oomKilled: false, error });
  }

  /** `name` as in `SIGTERM`. */
  kill(name: string): void {
    const handler = this.#signals.get(name);
    if (handler !== undefined && name !== 'SIGKILL') handler();
    else if (!IGNORED_BY_DEFAULT.has(name)) this.#die(name, false);
  }

  resize(size: TerminalSize): void {
    this.#size = size;
    this.#events.emit('resize', size);
  }

  /** Resolves when the process has exited and its output is complete. */
  async exited(signal?: AbortSignal): Promise<Exit> {
    const options = signal === undefined ? {} : { signal };
    while (this.#exit === null) await once(this.#events, 'exit', options);
    return this.#exit;
  }

  /** Takes input; resolves when there is room for more. */
  async input(data: Buffer, signal: AbortSignal): Promise<void> {
    this.#input.push(this.spec.terminal ? this.#control(data) : data);
    this.#inputBytes += data.length;
    this.#events.emit('input');
    while (this.#inputBytes >= INPUT_BYTES && !this.#inputClosed) {
      await once(this.#events, 'read', { signal });
    }
  }

  /** A new reader of the output displaces the old one. */
  readOutput(displaced: () => void): void {
    this.#displaceReader();
    this.#displaceReader = displaced;
  }

  endInput(): void {
    this.#inputEnded = true;
    this.#events.emit('input');
  }

  /** Resolves when the process no longer reads. */
  async inputClose(signal: AbortSignal): Promise<void> {
    while (!this.#inputClosed) await once(this.#events, 'read', { signal });
  }

  #control(data: Buffer): Buffer {
    for (const byte of data) {
      const signal = CONTROL_CHARACTERS.get(byte);
      if (signal !== undefined) this.kill(signal);
    }
    return data.filter((byte) => !CONTROL_CHARACTERS.has(byte)) as Buffer;
  }

  async #read(): Promise<Buffer | undefined> {
    for (;;) {
      const data = this.#input.shift();
      if (data !== undefined) {
        this.#inputBytes -= data.length;
        this.#events.emit('read');
        if (data.length > 0) return data;
        continue;
      }
      if (this.#inputEnded) return undefined;
      await once(this.#events, 'input', { signal: this.#killed.signal });
    }
  }

  #closeInput(): void {
    this.#inputClosed = true;
    this.#input = [];
    this.#inputBytes = 0;
    this.#events.emit('read');
  }

  #die(signal: string, oomKilled: boolean): void {
    const number = Object.entries(constants.signals).find(([name]) => name === signal)?.[1] ?? 9;
    this.#end({ exitCode: 128 + number, signal, oomKilled });
    this.#killed.abort();
  }

  #end(how: Omit<Exit, 'finishedAt'>): void {
    if (this.#exit !== null) return;
    this.#exit = { ...how, finishedAt: new Date().toISOString() };
    this.#closeInput();
    this.output.close();
    this.#events.emit('exit');
  }

  #context(): FakeProgramContext {
    return {
      spec: this.spec,
      stdout: (data) => this.output.write('stdout', Buffer.from(data)),
      stderr: (data) =>
        this.output.write(this.spec.terminal ? 'stdout' : 'stderr', Buffer.from(data)),
      read: () => this.#read(),
      closeStdin: () => this.#closeInput(),
      onSignal: (name, handler) => this.#signals.set(name, handler),
      size: () => this.#size,
      onResize: (handler) => this.#events.on('resize', handler),
      killed: this.#killed.signal,
      outOfMemory: () => this.#die('SIGKILL', true),
    };
  }
}

/** Names are root's: the fake agent has no accounts. */
function userOf({ user }: ProcessSpec): Process['user'] {
  const [uid = 0, gid = 0] = user.split(':').map((id) => Number(id) || 0);
  return { uid, gid, groups: [gid] };
}
