/**
 * A client of the QEMU Machine Protocol: one JSON document a line, one command at a time.
 *
 * The VMM handles a guest's bytes, so its answers are not trusted: lines are bounded, a schema
 * parses every document, and every command has a deadline.
 *
 * @module
 */
import type { Socket } from 'node:net';
import * as z from 'zod';
import { retry } from '../../../async/retry.ts';
import { A3sError } from '../../../errors.ts';
import { narrow } from '../../../narrow.ts';
import { openSocket } from '../../socket.ts';
import { passDescriptor } from './pass-descriptor.ts';

/** 64 KiB of console as base64 need 88 KB. No other answer comes near this size. */
const MAX_LINE = 1 << 20;
const COMMAND_DEADLINE_MS = 30_000;

const Greeting = z.object({
  QMP: z.object({
    version: z.object({
      qemu: z.object({ major: z.int(), minor: z.int(), micro: z.int() }),
    }),
  }),
});
const Reply = z.union([
  z.object({ return: z.unknown(), id: z.int().optional() }),
  z.object({ error: z.object({ class: z.string(), desc: z.string() }), id: z.int().optional() }),
]);
/** The schema of an answer whose content is not used here. */
export const ANY_ANSWER = z.unknown();
const Event = z.object({ event: z.string(), data: z.unknown().optional() });

export interface QmpEvent {
  readonly name: string;
  readonly data: unknown;
}

interface Pending {
  readonly id: number;
  readonly command: string;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** One connection. QEMU serves one at a time, so holding it also keeps other clients out. */
export class QmpClient {
  /** Resolves when the connection is gone. Never rejects. */
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #onEvent: (event: QmpEvent) => void;
  #pending: Pending[] = [];
  #failure: A3sError | undefined;
  #nextId = 1;
  #line: Buffer[] = [];
  #lineLength = 0;
  #greeted: (() => void) | undefined;

  private constructor(socket: Socket, onEvent: (event: QmpEvent) => void) {
    this.#socket = socket;
    this.#onEvent = onEvent;
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#fail('the VMM closed the connection');
        resolve();
      });
    });
    socket.on('error', (error) => this.#fail(error.message));
    socket.on('data', (chunk) => this.#receive(chunk));
  }

  /**
   * Connects as soon as the socket accepts, and negotiates.
   *
   * @param signal also the deadline: aborting rejects with its reason
   * @param meanwhile called after QEMU's greeting, while QEMU prepares to take commands
   */
  static async connect(
    path: string,
    onEvent: (event: QmpEvent) => void,
    signal: AbortSignal,
    meanwhile: () => void = () => undefined,
  ): Promise<QmpClient> {
    const socket = await retry(() => openSocket(path), signal);
    const client = new QmpClient(socket, onEvent);
    const abort = (): void => client.#fail('given up');
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    try {
      await new Promise<void>((resolve, reject) => {
        client.#greeted = resolve;
        if (client.#failure !== undefined) reject(client.#failure);
        void client.closed.then(() => reject(client.#failure));
      });
      const negotiated = client.execute('qmp_capabilities', {}, ANY_ANSWER);
      await Promise.all([negotiated, Promise.resolve().then(meanwhile)]);
      signal.throwIfAborted();
      return client;
    } catch (error) {
      client.close();
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  /**
   * Runs one command.
   *
   * @throws A3sError `vmm-failed` with QEMU's own message, or when the connection ends or the
   * deadline passes first
   */
  async execute<T>(
    command: string,
    args: Readonly<Record<string, unknown>>,
    schema: z.ZodType<T>,
    /** An open file that is sent with the command. The caller closes it afterwards. */
    descriptor?: number,
  ): Promise<T> {
    if (this.#failure !== undefined) throw this.#failure;
    const id = this.#nextId++;
    const answered = new Promise<unknown>((resolve, reject) => {
      this.#pending.push({ id, command, resolve, reject });
    });
    const deadline = setTimeout(
      () => this.#fail(`no answer to ${command} within ${COMMAND_DEADLINE_MS / 1000} s`),
      COMMAND_DEADLINE_MS,
    );
    const line = `${JSON.stringify({ execute: command, arguments: args, id })}\n`;
    try {
      if (descriptor === undefined) this.#socket.write(line);
      else await this.#pass(line, descriptor);
      const value = narrow(schema, await answered);
      if (!value.success) {
        throw new A3sError('vmm-failed', `QEMU answered ${command} in an unknown form`, {
          cause: value.error,
        });
      }
      return value.data;
    } finally {
      clearTimeout(deadline);
    }
  }

  /** Closes the connection; the VMM keeps running. */
  close(): void {
    this.#fail('the connection was closed');
  }

  async #pass(line: string, descriptor: number): Promise<void> {
    const signal = AbortSignal.timeout(COMMAND_DEADLINE_MS);
    try {
      await passDescriptor(this.#socket, Buffer.from(line), descriptor, signal);
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error));
    }
  }

  #receive(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      this.#append(chunk.subarray(start, end));
      const line = Buffer.concat(this.#line);
      this.#line = [];
      this.#lineLength = 0;
      start = end + 1;
      this.#document(line);
    }
    this.#append(chunk.subarray(start));
  }

  #append(part: Buffer): void {
    this.#lineLength += part.length;
    if (this.#lineLength > MAX_LINE) this.#fail('a line is too long');
    else if (part.length > 0) this.#line.push(part);
  }

  #document(line: Buffer): void {
    if (this.#failure !== undefined) return;
    const value = parseJson(line);
    const event = narrow(Event, value);
    if (event.success) this.#onEvent({ name: event.data.event, data: event.data.data });
    else if (this.#greeted !== undefined) this.#greeting(value, this.#greeted);
    else this.#reply(value);
  }

  #greeting(value: unknown, greeted: () => void): void {
    this.#greeted = undefined;
    if (narrow(Greeting, value).success) greeted();
    else this.#fail('it did not greet');
  }

  #reply(value: unknown): void {
    const reply = narrow(Reply, value);
    // A command with a descriptor may be sent after a command that was requested later.
    const index = this.#pending.findIndex(({ id }) => reply.success && id === reply.data.id);
    const pending = this.#pending[index];
    if (!reply.success || pending === undefined) {
      this.#fail('it sent something that is no answer');
      return;
    }
    this.#pending.splice(index, 1);
    if ('error' in reply.data) {
      const { desc } = reply.data.error;
      pending.reject(new A3sError('vmm-failed', `QEMU refused ${pending.command}: ${desc}`));
    } else pending.resolve(reply.data.return);
  }

  #fail(why: string): void {
    if (this.#failure !== undefined) return;
    const failure = new A3sError('vmm-failed', `Cannot talk to QEMU: ${why}`);
    this.#failure = failure;
    for (const pending of this.#pending) pending.reject(failure);
    this.#pending = [];
    this.#socket.destroy();
  }
}

function parseJson(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString('utf8'));
  } catch {
    return undefined;
  }
}
