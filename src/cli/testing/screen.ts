/**
 * A terminal with a shell in it, which finds the command line as `"$NODE" "$CLI"`.
 *
 * @module
 */
import { spawn as spawnTerminal } from '@lydell/node-pty';
import type { BuiltCli } from './built-cli.ts';

/** Far longer than any step takes. On timeout the test prints the screen. */
const TIMEOUT_MS = 100_000;

/** `isig` and `icanon` are the settings that raw mode switches off. */
const SANE =
  'stty -a | tr " ;" "\\n\\n" | grep -x -e "-*icanon" -e "-*isig" -e "-*echo" -e "-*opost"; echo done\r';

/** A shell in a terminal, as a user has it. */
export class Screen {
  readonly #terminal;
  #shown = '';
  #waiting: (() => void)[] = [];

  constructor(cli: BuiltCli, columns = 80, rows = 24) {
    this.#terminal = spawnTerminal('/bin/sh', ['-i'], {
      cols: columns,
      rows,
      env: { ...cli.env, PS1: '$ ', NODE: process.execPath, CLI: cli.bundle },
    });
    this.#terminal.onData((data) => {
      this.#shown += data;
      this.#notify();
    });
  }

  #notify(): void {
    for (const notify of this.#waiting.splice(0)) notify();
  }

  type(keys: string): void {
    this.#terminal.write(keys);
  }

  resize(columns: number, rows: number): void {
    this.#terminal.resize(columns, rows);
  }

  /** Waits until the screen shows the text. Earlier output is discarded. */
  async until(wanted: string | RegExp): Promise<string> {
    const deadline = AbortSignal.timeout(TIMEOUT_MS);
    deadline.addEventListener('abort', () => this.#notify());
    for (;;) {
      if (deadline.aborted)
        throw new Error(`waiting for ${wanted}, it shows ${JSON.stringify(this.#shown)}`);
      const match = new RegExp(wanted).exec(this.#shown);
      if (match !== null) {
        this.#shown = this.#shown.slice(match.index + match[0].length);
        return match[0];
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Whether the terminal is in the state that a shell expects. */
  async expectSane(): Promise<void> {
    this.type(SANE);
    await this.until(/(?<!-)opost\r\nisig\r\nicanon\r\necho\r\ndone/);
  }

  end(): void {
    this.#terminal.kill('SIGKILL');
  }
}
