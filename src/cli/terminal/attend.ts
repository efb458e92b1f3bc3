/**
 * An attached stream from its first byte of input to its end, with signals and the terminal's size.
 *
 * @module
 */
import type { Client } from '../client/client.ts';
import type { Context } from '../context.ts';
import type { AttachedStream } from './attached-stream.ts';
import { followSize } from './resize.ts';
import { exitOnSignals, proxySignals, signalStatus } from './signals.ts';

export interface Attendance {
  readonly context: Context;
  readonly client: Client;
  readonly stream: AttachedStream;
  /** The box that signals are passed to; undefined where one closes the stream instead. */
  readonly signalled: string | undefined;
  /** Route that resizes the process's terminal; undefined where it has none. */
  readonly resize: string | undefined;
  /** The exit status of the process, requested once the stream has ended. */
  status(): Promise<number>;
}

/**
 * The exit status: of the process, 0 after a detach, or that of a signal which closed the stream.
 */
export async function attend(attendance: Attendance): Promise<number> {
  const { context, client, stream, signalled, resize } = attendance;
  let left: NodeJS.Signals | undefined;
  const exitBy = (signal: NodeJS.Signals): void => {
    left = signal;
    stream.close();
  };
  const stops = [
    signalled === undefined
      ? exitOnSignals(context, exitBy)
      : proxySignals(context, client, signalled, exitBy),
    resize === undefined ? () => undefined : followSize(context, client, resize),
  ];
  try {
    await stream.begin();
    const how = await stream.ended();
    if (left !== undefined) {
      context.stderr.write(`a3s-box: left by ${left}; the process in the box runs on\n`);
      return signalStatus(left);
    }
    if (how === 'detached') {
      context.stderr.write('read escape sequence\n');
      return 0;
    }
    return await attendance.status();
  } finally {
    for (const stop of stops) stop();
  }
}
