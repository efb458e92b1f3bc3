/**
 * Runs commands of Docker's own client against an engine, and records their output so that two
 * engines can be compared.
 *
 * A word replaces what no two runs share: ids, times, sizes, addresses, chosen ports. The text
 * behind `Error response from daemon:` is each engine's own, so only the refusal is compared. Where
 * Docker's words are part of the interface, a command of the script names them, and A3S Box has to
 * say the same.
 *
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { docker } from '../../../src/server/testing/docker.ts';
import { scaled } from '../../e2e/time-scale.ts';

/** A command of the script. */
export interface Command {
  /** As typed behind `docker`; quotes keep words together. */
  readonly line: string;
  /** Its standard input. */
  readonly input?: string;
  /** Exit code; 0 unless given. */
  readonly code?: number;
  /** Docker's own words: part of standard error, or of standard output where it succeeds. */
  readonly says?: string;
  /** Takes out what is each engine's own and no general rule covers. */
  readonly show?: (text: string) => string;
  /**
   * Asked again until the answer, standard output and then standard error, holds this, since
   * nothing tells when it will. An answer that never does fails the test.
   */
  readonly until?: string;
  /** Why our answer is not Docker's: the document that says so. */
  readonly differs?: Difference;
  /** What it says on standard error is each engine's own, although nothing in it tells. */
  readonly ownWords?: true;
}

export interface Difference {
  /** A document of Docker's, or a page of ours with the words of its line. */
  readonly document: string;
  readonly words: string;
}

export interface Entry {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Answer {
  readonly raw: Entry;
  /** As it is compared. */
  readonly entry: Entry;
}

const DEADLINE_MS = scaled(120_000);

/**
 * What the engine at `socket` answers, and the entry as it is compared.
 *
 * @throws Error for a command whose answer does not become complete in time.
 */
export async function take(
  socket: string,
  command: Command,
  env: Readonly<Record<string, string>>,
): Promise<Answer> {
  const end = Date.now() + DEADLINE_MS;
  for (;;) {
    const raw = await docker(socket, wordsOf(command.line, env), command.input);
    const complete =
      command.until === undefined || `${raw.stdout}${raw.stderr}`.includes(command.until);
    if (complete) return { raw, entry: entryOf(raw, command) };
    if (Date.now() > end)
      throw new Error(`${command.line} never says ${command.until}, but ${JSON.stringify(raw)}`);
    await sleep(100);
  }
}

function entryOf({ code, stdout, stderr }: Entry, { show = same, ownWords }: Command): Entry {
  const words = ownWords === true && stderr !== '' ? '…' : neutral(withoutWords(stderr));
  return { code, stdout: show(neutral(stdout)), stderr: words };
}

const same = (text: string): string => text;

/** The client says `docker: ` in front where it runs, and where to find help behind. */
function withoutWords(stderr: string): string {
  return stderr.replace(/(Error response from daemon:)[^\0]*/, '$1 …');
}

const NEUTRAL: readonly (readonly [RegExp, string])[] = [
  [/\b(sha256:)?[0-9a-f]{64}\b/g, '<id>'],
  [/\b(sha256:)?[0-9a-f]{12}\b/g, '<id>'],
  [/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)/g, '<time>'],
  [/\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?( [+-]\d{4})?( [A-Z]{3})?/g, '<time>'],
  [
    /\b(Less than a second|(About )?(an?|\d+) (second|minute|hour|day|week|month|year)s?)\b/g,
    '<while>',
  ],
  [/\b\d+(\.\d+)?\s?([kKMGT]i?)?B\b/g, '<size>'],
  [/(127\.0\.0\.1|0\.0\.0\.0):\d{5}\b/g, '$1:<port>'],
  [/[ \t]+/g, ' '],
  [/ $/gm, ''],
];

/** The text without what no two runs share. */
export function neutral(text: string): string {
  return NEUTRAL.reduce((result, [pattern, word]) => result.replace(pattern, word), text);
}

/**
 * A command line's words: single or double quotes keep together what is between them, and `$NAME`
 * is of `env` where that has it.
 */
export function wordsOf(line: string, env: Readonly<Record<string, string>>): readonly string[] {
  const words = line.match(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g) ?? [];
  return words.map((word) =>
    word
      .replace(
        /'([^']*)'|"([^"]*)"/g,
        (_, single?: string, double?: string) => single ?? double ?? '',
      )
      .replace(/\$([A-Z]+)/g, (all, name: string) => env[name] ?? all),
  );
}
