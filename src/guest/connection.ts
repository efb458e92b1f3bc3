/**
 * Connects to the agent of a VM that boots, or that an earlier server left running.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Vm } from '../engine/vm/vm.ts';
import { A3sError } from '../errors.ts';
import { Guest } from './guest.ts';
import { GuestConnection } from './http2-connection.ts';
import { Hello, PROTOCOL } from './protocol.ts';
import { GuestRefusal, guestText } from './refusal.ts';

export interface ConnectOptions {
  readonly signal: AbortSignal;
  /** Time for the guest to boot and answer. */
  readonly deadlineMs: number;
  /**
   * How long the first connection may stay without an answer before a new one is tried; each later
   * one may take twice as long. Bytes of a dead connection can precede those of a new one, or the
   * guest can drop bytes while it opens its port again, and neither side gets an error.
   */
  readonly attemptMs?: number;
  /** Set for a start from a template or a snapshot, whose agent is known: `hello` is not sent. */
  readonly known?: KnownAgent;
}

export interface KnownAgent {
  /** The version that was agreed on before the memory was saved, or the lowest possible one. */
  readonly protocol: number;
  /** Agrees on a higher version after the first request. */
  readonly negotiate?: boolean;
  /**
   * The first request. Its answer shows that the connection works. It may be sent again when its
   * answer is lost, so it must be idempotent, as `reseed` and `fork` are.
   */
  readonly first: (guest: Guest, signal: AbortSignal) => Promise<void>;
}

/**
 * Longer than most boots: an attempt that ends just when the agent starts costs more than it may
 * win.
 */
const FIRST_ATTEMPT_MS = 5000;
/** An agent that has answered before is running, so silence means that a preface was lost. */
const RETURN_ATTEMPT_MS = 500;
const LONGEST_ATTEMPT_MS = 20_000;
/**
 * The guest needs time to see that a host has disconnected. Bytes that the next host sends until
 * then are lost.
 */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 400;
const CONSOLE_LINES = 12;

/** The VMs whose agent this process has reached. */
const answered = new WeakSet<object>();

/**
 * Connects until the agent answers, and agrees on a version with it.
 *
 * Rejects with `agent-timeout` after the deadline and with `vmm-failed` when the VM ends, both with
 * the end of the guest's console; with `agent-failed` when no version fits; with the agent's answer
 * when it refuses the first request; with the signal's reason when it aborts.
 */
export async function connectGuest(
  vm: Pick<Vm, 'connect' | 'console' | 'exited'>,
  options: ConnectOptions,
): Promise<Guest> {
  const ended = new AbortController();
  const stop = AbortSignal.any([options.signal, ended.signal]);
  const timer = setTimeout(() => {
    const seconds = options.deadlineMs / 1000;
    ended.abort(
      new A3sError('agent-timeout', `The guest agent did not answer within ${seconds} s`),
    );
  }, options.deadlineMs);
  void vm.exited.then(({ reason, detail }) => {
    const message = `The microVM ended before its agent answered (${reason})`;
    ended.abort(new A3sError('vmm-failed', detail === '' ? message : `${message}: ${detail}`));
  });
  try {
    const usualMs = answered.has(vm) ? RETURN_ATTEMPT_MS : FIRST_ATTEMPT_MS;
    let attemptMs = options.attemptMs ?? usualMs;
    let pauseMs = FIRST_PAUSE_MS;
    for (;;) {
      const guest = await attempt(vm, stop, attemptMs, options.known);
      if (guest !== undefined) {
        answered.add(vm);
        return guest;
      }
      await delay(pauseMs, undefined, { signal: stop });
      attemptMs = Math.min(2 * attemptMs, LONGEST_ATTEMPT_MS);
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    }
  } catch (error) {
    options.signal.throwIfAborted();
    if (!ended.signal.aborted) throw error;
    throw await withConsole(vm, ended.signal.reason as A3sError);
  } finally {
    clearTimeout(timer);
  }
}

/** One connection; undefined when it got no answer. */
async function attempt(
  vm: Pick<Vm, 'connect'>,
  stop: AbortSignal,
  attemptMs: number,
  known: KnownAgent | undefined,
): Promise<Guest | undefined> {
  stop.throwIfAborted();
  let connection: GuestConnection | undefined;
  try {
    connection = new GuestConnection(await vm.connect(stop));
    return known === undefined
      ? await greet(connection, stop, attemptMs)
      : await meet(connection, stop, attemptMs, known);
  } catch (error) {
    connection?.destroy();
    stop.throwIfAborted();
    if (error instanceof UnsupportedVersion) throw error.refusal;
    if (error instanceof GuestRefusal) throw error;
    // Any other failure may be the rest of a dead connection: the deadline bounds the attempts.
    return undefined;
  }
}

/** Agrees on a version with an agent whose version is unknown. */
async function greet(
  connection: GuestConnection,
  stop: AbortSignal,
  attemptMs: number,
): Promise<Guest> {
  const limits = { signal: stop, deadlineMs: attemptMs };
  const hello = await connection.call('GET', '/v1/hello', undefined, Hello, limits);
  connection.version = negotiate(hello);
  return new Guest(connection, hello);
}

async function meet(
  connection: GuestConnection,
  stop: AbortSignal,
  attemptMs: number,
  known: KnownAgent,
): Promise<Guest> {
  const { minimum, maximum } = PROTOCOL;
  if (known.protocol < minimum || known.protocol > maximum) {
    throw new UnsupportedVersion({
      agent: 'of the template',
      protocol: { minimum: known.protocol, maximum: known.protocol },
    });
  }
  connection.version = known.protocol;
  const guest = new Guest(connection);
  await known.first(guest, AbortSignal.any([stop, AbortSignal.timeout(attemptMs)]));
  return known.negotiate === true ? await greet(connection, stop, attemptMs) : guest;
}

class UnsupportedVersion extends Error {
  readonly refusal: A3sError;

  constructor(hello: Pick<Hello, 'agent' | 'protocol'>) {
    super('unsupported version');
    const { minimum, maximum } = hello.protocol;
    this.refusal = new A3sError(
      'agent-failed',
      `The guest agent ${guestText(hello.agent)} speaks protocol ${minimum} to ${maximum}, this server ${PROTOCOL.minimum} to ${PROTOCOL.maximum}`,
      { remedy: 'Recreate the box, so that it boots with the current agent.' },
    );
  }
}

/** The highest version that both support. */
function negotiate(hello: Hello): number {
  const version = Math.min(hello.protocol.maximum, PROTOCOL.maximum);
  if (version < Math.max(hello.protocol.minimum, PROTOCOL.minimum)) {
    throw new UnsupportedVersion(hello);
  }
  return version;
}

async function withConsole(vm: Pick<Vm, 'console'>, error: A3sError): Promise<A3sError> {
  const console = await vm.console().catch(() => Buffer.alloc(0));
  const lines = console.subarray(-8192).toString('utf8').split('\n').map(guestText);
  const last = lines.filter((line) => line !== '').slice(-CONSOLE_LINES);
  const shown =
    last.length === 0 ? 'its console is empty' : `its console ends:\n${last.join('\n')}`;
  return new A3sError(error.code, `${error.message}; ${shown}`, { cause: error });
}
