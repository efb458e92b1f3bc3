/**
 * Reaching the agent of a machine that boots, or that an earlier server left running.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Machine } from '../engine/engine.ts';
import { A3sError } from '../errors.ts';
import { Guest } from './guest.ts';
import { Hello, PROTOCOL } from './protocol.ts';
import { GuestRefusal, guestText } from './refusal.ts';
import { GuestSession } from './session.ts';

export interface ConnectOptions {
  readonly signal: AbortSignal;
  /** Time for the guest to boot and answer. */
  readonly deadlineMs: number;
  /**
   * How long the first connection may stay without an answer before a new one is tried; each later
   * one may take twice as long. Bytes of a dead connection can lead a new one, or the guest can
   * drop what comes while it opens its port again, and nobody then says a word.
   */
  readonly attemptMs?: number;
  /** For the copy of a guest, whose agent is known: it is not asked for its versions. */
  readonly known?: KnownAgent;
}

export interface KnownAgent {
  /** The version that was agreed on before the copy was made, or the lowest that it can have been. */
  readonly protocol: number;
  /** Agree on a higher version after the first request. */
  readonly negotiate?: boolean;
  /**
   * The first request, whose answer shows that the connection is one. It may be sent again when
   * its answer is lost, so it must be one that may come twice, as `wake` and `fork`.
   */
  readonly first: (guest: Guest, signal: AbortSignal) => Promise<void>;
}

/** Longer than most boots: an attempt that ends just when the agent comes up costs more than it may win. */
const FIRST_ATTEMPT_MS = 5000;
/** An agent that has answered before is up, so silence means that a preface was lost. */
const RETURN_ATTEMPT_MS = 500;
const LONGEST_ATTEMPT_MS = 20_000;
/** The guest needs time to see that a host has gone: what the next one sends until then is lost. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 400;
const CONSOLE_LINES = 12;

/** The machines whose agent this process has reached. */
const answered = new WeakSet<object>();

/**
 * Connects until the agent answers, and agrees on a version with it.
 *
 * Rejects with `agent-timeout` after the deadline and `vmm-failed` when the machine ends, both
 * with the end of the guest's console; with `agent-failed` when no version fits; with what the agent
 * answers to a first request that it refuses; with the signal's reason when it aborts.
 */
export async function connectGuest(
  machine: Pick<Machine, 'connect' | 'console' | 'exited'>,
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
  void machine.exited.then(({ reason, detail }) => {
    const message = `The virtual machine ended before its agent answered (${reason})`;
    ended.abort(new A3sError('vmm-failed', detail === '' ? message : `${message}: ${detail}`));
  });
  try {
    const usualMs = answered.has(machine) ? RETURN_ATTEMPT_MS : FIRST_ATTEMPT_MS;
    let attemptMs = options.attemptMs ?? usualMs;
    let pauseMs = FIRST_PAUSE_MS;
    for (;;) {
      const guest = await attempt(machine, stop, attemptMs, options.known);
      if (guest !== undefined) {
        answered.add(machine);
        return guest;
      }
      await delay(pauseMs, undefined, { signal: stop });
      attemptMs = Math.min(2 * attemptMs, LONGEST_ATTEMPT_MS);
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    }
  } catch (error) {
    options.signal.throwIfAborted();
    if (!ended.signal.aborted) throw error;
    throw await withConsole(machine, ended.signal.reason as A3sError);
  } finally {
    clearTimeout(timer);
  }
}

/** One connection; undefined when nobody answered on it. */
async function attempt(
  machine: Pick<Machine, 'connect'>,
  stop: AbortSignal,
  attemptMs: number,
  known: KnownAgent | undefined,
): Promise<Guest | undefined> {
  stop.throwIfAborted();
  let session: GuestSession | undefined;
  try {
    session = new GuestSession(await machine.connect(stop));
    return known === undefined
      ? await greet(session, stop, attemptMs)
      : await meet(session, stop, attemptMs, known);
  } catch (error) {
    session?.destroy();
    stop.throwIfAborted();
    if (error instanceof UnsupportedVersion) throw error.refusal;
    if (error instanceof GuestRefusal) throw error;
    // Whatever else went wrong may be the rest of a dead connection: the deadline bounds the tries.
    return undefined;
  }
}

/** Agrees on a version with an agent that nothing is known of. */
async function greet(session: GuestSession, stop: AbortSignal, attemptMs: number): Promise<Guest> {
  const limits = { signal: stop, deadlineMs: attemptMs };
  const hello = await session.call('GET', '/v1/hello', undefined, Hello, limits);
  session.version = negotiate(hello);
  return new Guest(session, hello);
}

async function meet(
  session: GuestSession,
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
  session.version = known.protocol;
  const guest = new Guest(session);
  await known.first(guest, AbortSignal.any([stop, AbortSignal.timeout(attemptMs)]));
  return known.negotiate === true ? await greet(session, stop, attemptMs) : guest;
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

/** The highest version that both know. */
function negotiate(hello: Hello): number {
  const version = Math.min(hello.protocol.maximum, PROTOCOL.maximum);
  if (version < Math.max(hello.protocol.minimum, PROTOCOL.minimum)) {
    throw new UnsupportedVersion(hello);
  }
  return version;
}

async function withConsole(machine: Pick<Machine, 'console'>, error: A3sError): Promise<A3sError> {
  const console = await machine.console().catch(() => Buffer.alloc(0));
  const lines = console.subarray(-8192).toString('utf8').split('\n').map(guestText);
  const last = lines.filter((line) => line !== '').slice(-CONSOLE_LINES);
  const shown =
    last.length === 0 ? 'its console is empty' : `its console ends:\n${last.join('\n')}`;
  return new A3sError(error.code, `${error.message}; ${shown}`, { cause: error });
}
