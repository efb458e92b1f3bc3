/**
 * A client that is connected with a process: exec and attach, over either protocol.
 *
 * @module
 */
import type { TerminalClient } from '../../pods/streams/terminal-client.ts';
import { type CommandStatus, exitStatus, failureStatus } from './status.ts';
import { terminalSizes } from './terminal-sizes.ts';

/** The streams that a client has, and so opens. */
export interface CommandShape {
  readonly stdin: boolean;
  readonly stdout: boolean;
  /** Never with a terminal. */
  readonly stderr: boolean;
  readonly terminal: boolean;
}

export interface Command extends CommandShape {
  /**
   * Connects the client with the process, until either has ended. Returns the exit code of a
   * process that was started for the client.
   */
  readonly serve: (client: TerminalClient) => Promise<number | undefined>;
}

/** The streams of one client, whichever protocol carries them. */
export interface CommandStreams {
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly resize: AsyncIterable<Uint8Array>;
  readonly gone: AbortSignal;
  /** Waits until the client has room. Does nothing for a stream that the client has not opened. */
  write(stream: 1 | 2, bytes: Uint8Array): Promise<void>;
  /** Sends the status behind all output, and ends the connection. */
  end(status: CommandStatus): Promise<void>;
}

/** Never rejects: errors are sent to the client, and go to `onError`. */
export async function serveCommand(
  command: Command,
  streams: CommandStreams,
  onError: (error: unknown) => void,
): Promise<void> {
  const { stdin, gone, resize } = streams;
  const client: TerminalClient = {
    ...{ input: stdin, gone, sizes: terminalSizes(resize) },
    write: (stream, bytes) => streams.write(stream, bytes),
  };
  let status: CommandStatus;
  try {
    status = exitStatus(await command.serve(client));
  } catch (error) {
    onError(error);
    status = failureStatus(error);
  }
  await streams.end(status);
}
