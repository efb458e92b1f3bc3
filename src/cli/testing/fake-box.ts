/**
 * A box of the fake server: its program is the first word of its command.
 *
 * @module
 */
import { constants } from 'node:os';
import type { Duplex } from 'node:stream';
import { objectOf, stringsOf } from '../client/json.ts';

/** One frame of Docker's multiplexed stream. */
export function frame(stream: number, payload: Buffer | string): Buffer {
  const bytes = Buffer.from(payload);
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(bytes.length, 4);
  return Buffer.concat([header, bytes]);
}

export class FakeBox {
  readonly id: string;
  readonly body: Record<string, unknown>;
  readonly command: readonly string[];
  readonly name: string;
  readonly log: Buffer[] = [];
  /** Why its run did not end on its own. */
  failure = '';
  readonly exited: Promise<number>;
  #exit: (status: number) => void = () => undefined;
  #status: number | undefined;
  #stream: Duplex | undefined;
  #running = false;
  #size = '';

  constructor(id: string, body: Record<string, unknown>) {
    this.id = id;
    this.body = body;
    this.command = stringsOf(body['Cmd']);
    this.name = String(body['Image']);
    this.exited = new Promise((resolve) => {
      this.#exit = resolve;
    });
  }

  get program(): string {
    return this.command[0] ?? '';
  }

  get running(): boolean {
    return this.#running;
  }

  get terminal(): boolean {
    return this.body['Tty'] === true;
  }

  inspect(): unknown {
    return {
      Id: this.id,
      Name: `/${this.name}`,
      State: { Running: this.#running },
      Config: {
        Tty: this.terminal,
        OpenStdin: this.body['OpenStdin'],
        Labels: this.body['Labels'],
      },
      HostConfig: objectOf(this.body['HostConfig']),
      Running: this.#status === undefined,
      ExitCode: this.#status ?? null,
    };
  }

  attach(stream: Duplex): void {
    this.#stream = stream;
    stream.on('error', () => stream.destroy());
  }

  start(): void {
    this.#running = true;
    const stream = this.#stream;
    const [program, ...args] = this.command;
    if (program === 'exit') this.end(Number(args[0]));
    if (program === 'sh') this.end(5);
    if (program === 'lost') {
      this.failure = 'the microVM ended unexpectedly: it was killed';
      this.end(137);
    }
    if (program === 'both') {
      this.#write(1, 'to stdout\n');
      this.#write(2, 'to stderr\n');
      this.end(0);
    }
    if (program === 'cat') {
      stream?.on('data', (chunk: Buffer) => {
        if (!this.#write(1, chunk)) {
          stream.pause();
          stream.once('drain', () => stream.resume());
        }
      });
      stream?.once('end', () => this.end(0));
    }
    if (program === 'type') {
      // A terminal: prints what was typed, until q.
      this.#write(1, 'ready\r\n');
      stream?.on('data', (chunk: Buffer) => {
        this.#write(1, `<${chunk.toString('hex')}>`);
        if (chunk.includes('n')) this.#write(1, 'down\nonly');
        if (chunk.includes('q') && chunk.length === 1) this.end(7);
      });
    }
    if (program === 'signals') this.#write(1, 'waiting\n');
    if (program === 'flood') this.#flood();
  }

  signal(name: string): void {
    this.#write(1, `got ${name}\n`);
    if (this.command[1] === 'ignore') return;
    this.end(128 + constants.signals[name as NodeJS.Signals]);
  }

  resize(columns: number, rows: number): void {
    const size = `${columns}x${rows}`;
    if (size === this.#size) return;
    this.#size = size;
    this.#write(1, `[${size}]`);
  }

  end(status: number): void {
    if (this.#status !== undefined) return;
    this.#status = status;
    this.#running = false;
    this.#stream?.end();
    // Attached clients see the output end before the wait is answered.
    if (this.#stream === undefined) this.#exit(status);
    else this.#stream.once('close', () => this.#exit(status)).resume();
  }

  #write(stream: number, bytes: Buffer | string): boolean {
    if (this.#stream?.writable !== true) return true;
    return this.#stream.write(this.terminal ? bytes : frame(stream, bytes));
  }

  #flood(): void {
    while (this.#status === undefined && this.#write(1, Buffer.alloc(64 * 1024, 'x')));
    this.#stream?.once('drain', () => this.#flood());
  }
}
