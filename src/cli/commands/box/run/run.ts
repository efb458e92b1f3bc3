import { A3sError } from '../../../../errors.ts';
import { type Client, segment } from '../../../client/client.ts';
import type { Command, Invocation } from '../../../command.ts';
import type { Context } from '../../../context.ts';
import { RUN_FLAGS } from '../../../flags/box-flags.ts';
import type { FlagValues } from '../../../flags/flag-values.ts';
import { confidentialRequest, requireOutput } from '../../../requests/confidential-request.ts';
import { printWarnings, warningsFor } from '../../../requests/confidential-warnings.ts';
import { createRequest, streamsOf } from '../../../requests/create-request.ts';
import { egressRequest } from '../../../requests/egress-request.ts';
import { egressSecrets } from '../../../requests/egress-secrets.ts';
import { createFork, forkRequest } from '../../../requests/fork-request.ts';
import { imageChoice } from '../../../requests/image-choice.ts';
import { requireSnp } from '../../../requests/require-snp.ts';
import { attached } from '../../../terminal/attached.ts';
import { AttachedStream } from '../../../terminal/attached-stream.ts';
import { attend } from '../../../terminal/attend.ts';
import { PROXIED, signalStatus } from '../../../terminal/signals.ts';
import { checkTerminal, detachKeys } from '../../../terminal/terminal.ts';
import { waitFor } from '../../../terminal/wait.ts';
import { UsageError } from '../../../usage-error.ts';
import { NO_STREAMS, type Streams } from '../../../values/streams.ts';
import { type CreatedBox, createBox } from '../create.ts';

export const run: Command = {
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...] | [OPTIONS] --from-snapshot SNAPSHOT',
  flags: RUN_FLAGS,
  operands: { min: 0, max: Infinity },
  passThrough: true,
  failureStatus: 125,
  async run(invocation) {
    const { context, flags } = invocation;
    const detach = flags.bool('detach');
    await requireSnp(invocation);
    const make = await maker(invocation);
    const keys = detachKeys(flags);
    if (!detach) checkTerminal(context, flags.bool('interactive') && flags.bool('tty'));
    const client = await context.connect();
    const starting = new Starting(context);
    try {
      const created = await make(client, starting.signal).catch(starting.orInterrupted);
      if (typeof created === 'number') return created;
      const box = { context, client, ...created, starting };
      return detach ? await background(box) : await foreground(box, invocation, keys);
    } finally {
      starting.dispose();
    }
  },
};

type Make = (
  client: Client,
  signal: AbortSignal,
) => Promise<CreatedBox & { readonly terminal?: boolean }>;

/**
 * How the box is made. Everything that can be checked is checked before any request to the server.
 */
async function maker(invocation: Invocation): Promise<Make> {
  const { context, flags, operands, path } = invocation;
  const fork = await forkRequest(invocation, RUN_FLAGS);
  if (fork !== undefined) return (client, signal) => createFork(context, client, fork, signal);
  if (operands.length === 0) {
    throw new UsageError(`"a3s-box ${path}" requires at least 1 argument`, {
      status: 1,
      remedy: `Usage: a3s-box ${path} ${run.usage}`,
    });
  }
  const attached = streamsOfRun(flags);
  const confidential = await confidentialRequest(invocation);
  if (confidential !== undefined && !flags.bool('detach')) requireOutput(confidential);
  const egress = await egressRequest(invocation);
  const request = createRequest(invocation, attached, {
    ...{ confidential, egress },
    egressSecrets: await egressSecrets(invocation),
  });
  const choice = await imageChoice(invocation);
  return async (client, signal) => {
    printWarnings(context, warningsFor(confidential));
    return createBox(context, client, request, choice, signal);
  };
}

/** @throws UsageError in Docker's words where streams are named for a box in the background */
function streamsOfRun(flags: FlagValues): Streams {
  if (!flags.bool('detach')) return streamsOf(flags);
  if (flags.list('attach').length === 0) return NO_STREAMS;
  throw new UsageError('conflicting options: cannot specify both --attach and --detach');
}

interface NewBox {
  readonly context: Context;
  readonly client: Client;
  readonly id: string;
  readonly imagePolicy: string | undefined;
  readonly terminal?: boolean | undefined;
  readonly starting: Starting;
}

/**
 * As in Docker, a box that cannot start is kept: its state is `Created`, the error is on record,
 * and its id is printed.
 */
async function background(box: NewBox): Promise<number> {
  try {
    const interrupted = await start(box);
    return interrupted ?? printed(box.context, box.id);
  } catch (error) {
    printed(box.context, box.id);
    throw error;
  }
}

function printed(context: Context, id: string): number {
  context.stdout.write(`${id}\n`);
  return 0;
}

async function foreground(box: NewBox, invocation: Invocation, keys: Buffer): Promise<number> {
  const { context, client, id, starting } = box;
  const { flags } = invocation;
  // A box from a snapshot has the terminal setting of its source.
  const terminal = box.terminal ?? flags.bool('tty');
  const { stdin, stdout, stderr } = streamsOf(flags);
  const path = `/containers/${segment(id)}`;
  const open = async (): Promise<AttachedStream> => {
    const { stream } = await client.hijack({
      method: 'POST',
      path: `${path}/attach`,
      query: {
        stream: true,
        stdin,
        stdout,
        stderr,
        detachKeys: flags.string('detach-keys'),
      },
    });
    return new AttachedStream(context, stream, {
      terminal,
      input: stdin,
      output: stdout || stderr,
      detachKeys: keys,
    });
  };
  const condition = flags.bool('rm') ? 'removed' : 'next-exit';
  const { stream: attachedStream, waiting } = await undoing(box, () =>
    attached(open(), waitFor(context, client, id, condition)),
  );
  try {
    const interrupted = await undoing(box, () => start(box));
    if (interrupted !== undefined) return interrupted;
    starting.over();
    return await attend({
      context,
      client,
      stream: attachedStream,
      signalled: flags.bool('sig-proxy') ? id : undefined,
      resize: terminal ? `${path}/resize` : undefined,
      // A command that holds only the input detaches when the input has ended, as Docker does.
      status: stdout || stderr ? waiting.status : async () => printed(context, id),
    });
  } finally {
    attachedStream.close();
    waiting.cancel();
  }
}

/**
 * Starts the box. Returns the exit status of a signal that came first, for which the box is
 * removed.
 */
async function start(box: NewBox): Promise<number | undefined> {
  const { client, id, imagePolicy, starting } = box;
  const path = `/containers/${segment(id)}`;
  const query = { imagePolicy };
  // The box may run already while the answer is on its way: then the box gets the signal.
  starting.offerTo((signal) =>
    client.json({ method: 'POST', path: `${path}/kill`, query: { signal } }),
  );
  try {
    starting.signal.throwIfAborted();
    await client.json({ method: 'POST', path: `${path}/start`, query, signal: starting.signal });
    return undefined;
  } catch (error) {
    if (starting.interrupted === undefined) throw error;
    await remove(client, id);
    return signalStatus(starting.interrupted);
  }
}

/**
 * `run` in the foreground is one operation: where it fails before the box runs, it removes the box
 * again.
 */
async function undoing<T>(box: NewBox, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    try {
      await remove(box.client, box.id);
    } catch (undo) {
      throw withRemains(error, box.id, undo);
    }
    throw error;
  }
}

async function remove(client: Client, id: string): Promise<void> {
  try {
    const path = `/containers/${segment(id)}`;
    await client.json({ method: 'DELETE', path, query: { force: true, v: true } });
  } catch (error) {
    // With --rm the server may have removed it already.
    if (error instanceof A3sError && (error.code === 'no-such-box' || error.code === 'conflict')) {
      return;
    }
    throw error;
  }
}

function withRemains(error: unknown, id: string, undo: unknown): unknown {
  if (!(error instanceof A3sError)) return error;
  const remedy = `${error.remedy ?? ''} The box ${id.slice(0, 12)} is left: remove it with a3s-box rm -f.`;
  return new A3sError(error.code, error.message, {
    remedy: remedy.trim(),
    cause: new AggregateError([error, undo]),
  });
}

/** Until the box runs a signal has no target: it aborts the start instead. */
class Starting {
  readonly #controller = new AbortController();
  readonly #subscription: Disposable;
  #offer: ((signal: NodeJS.Signals) => Promise<unknown>) | undefined;
  #over = false;
  interrupted: NodeJS.Signals | undefined;

  constructor(context: Context) {
    this.#subscription = context.onSignals(PROXIED, (signal) => {
      if (this.#over) return;
      if (this.#offer === undefined) this.#interrupt(signal);
      else this.#offer(signal).catch(() => this.#interrupt(signal));
    });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /**
   * From now on a signal first goes to `taker`. Where that rejects, the signal aborts the start.
   */
  offerTo(taker: (signal: NodeJS.Signals) => Promise<unknown>): void {
    this.#offer = taker;
  }

  /**
   * For an error before there was a box: returns the exit status of the signal that came, or throws
   * the error again.
   */
  readonly orInterrupted = (error: unknown): number => {
    if (this.interrupted === undefined) throw error;
    return signalStatus(this.interrupted);
  };

  /**
   * Another handler takes signals from now on. The subscription stays: between two subscriptions a
   * signal would be lost.
   */
  over(): void {
    this.#over = true;
  }

  dispose(): void {
    this.#subscription[Symbol.dispose]();
  }

  #interrupt(signal: NodeJS.Signals): void {
    this.interrupted ??= signal;
    this.#controller.abort();
  }
}
