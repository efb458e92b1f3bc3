/**
 * Prompts at the terminal.
 *
 * @module
 */
import type { Context, TerminalInput } from '../context.ts';

const MAX_LINE = 64 * 1024;
const CTRL_C = '\x03';
const CTRL_D = '\x04';

/** Keys of a line in raw mode: those that end it, and those that delete. */
const ENTER = /[\r\n]/;
const ERASE = new Set(['\x7f', '\b']);
const KILL_LINE = '\x15';

export class Prompt {
  readonly #context: Context;
  /** Typed, and not read yet. */
  #ahead = '';

  constructor(context: Context) {
    this.#context = context;
  }

  /** The typed line; undefined where input ends before one. */
  async ask(question: string): Promise<string | undefined> {
    this.#context.stdout.write(question);
    let line = '';
    for await (const character of this.#characters()) {
      if (character === '\n') return line.replace(/\r$/, '');
      line = (line + character).slice(0, MAX_LINE);
    }
    return line === '' ? undefined : line;
  }

  /** The same without echo; undefined where Ctrl-C or the end of input comes instead. */
  async askSecret(question: string): Promise<string | undefined> {
    const { stdin, stdout } = this.#context;
    const restore = silence(stdin);
    try {
      stdout.write(question);
      let line = '';
      for await (const character of this.#characters()) {
        if (ENTER.test(character)) return line;
        if (character === CTRL_C || (character === CTRL_D && line === '')) return undefined;
        if (ERASE.has(character)) line = [...line].slice(0, -1).join('');
        else if (character === KILL_LINE) line = '';
        else if (character >= ' ') line = (line + character).slice(0, MAX_LINE);
      }
      return undefined;
    } finally {
      restore();
      stdout.write('\n');
    }
  }

  /** One prompt at a time. Input that remains when the loop ends is kept for the next prompt. */
  async *#characters(): AsyncGenerator<string> {
    const { stdin } = this.#context;
    const decoder = new TextDecoder();
    for (;;) {
      while (this.#ahead !== '') {
        const [first = ''] = this.#ahead;
        this.#ahead = this.#ahead.slice(first.length);
        yield first;
      }
      const chunk = await nextChunk(stdin);
      if (chunk === undefined) return;
      this.#ahead += decoder.decode(chunk, { stream: true });
    }
  }
}

/**
 * Raw, so that nothing is echoed, also where this process ends meanwhile. @returns the function
 * that restores the terminal
 */
function silence(input: TerminalInput): () => void {
  if (input.isTTY !== true || input.setRawMode === undefined) return () => undefined;
  input.setRawMode(true);
  const restore = (): void => {
    process.off('exit', restore);
    input.setRawMode?.(false);
  };
  process.on('exit', restore);
  return restore;
}

/**
 * Undefined at the end. Input is paused between prompts, so that other readers' input is not taken.
 */
function nextChunk(input: TerminalInput): Promise<Buffer | undefined> {
  if (input.readableEnded || input.destroyed) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const done = (chunk: Buffer | undefined): void => {
      input.off('data', take).off('end', end).off('error', end).pause();
      resolve(chunk);
    };
    const take = (chunk: Buffer | string): void => done(Buffer.from(chunk));
    const end = (): void => done(undefined);
    input.on('data', take).once('end', end).once('error', end).resume();
  });
}
