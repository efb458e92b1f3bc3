/**
 * Everything outside of itself that a command uses.
 *
 * @module
 */
import type { Readable, Writable } from 'node:stream';
import type { Config } from '../config.ts';
import type { Client } from './client/client.ts';

export interface TerminalInput extends Readable {
  readonly isTTY?: boolean;
  setRawMode?(raw: boolean): unknown;
}

interface TerminalOutput extends Writable {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

export interface Context {
  /** @throws A3sError `invalid-argument` for an environment that cannot be used */
  config(): Promise<Config>;
  /** Where the bundles lie. */
  readonly installDir: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdin: TerminalInput;
  readonly stdout: TerminalOutput;
  readonly stderr: TerminalOutput;
  /** A client of the running server. A server is started where none runs. */
  connect(): Promise<Client>;
  /** The same, where a server runs; none is started. */
  connectRunning(): Promise<Client | undefined>;
  /** Calls `handler` for each of `signals` that this process gets, until disposed. */
  onSignals(
    signals: readonly NodeJS.Signals[],
    handler: (signal: NodeJS.Signals) => void,
  ): Disposable;
}
