/**
 * Refuses a command line from which Node took an option for itself.
 *
 * Node 20 reads `--env-file` anywhere in its command line up to the first `--`, also after the
 * script's name. It applies NODE_OPTIONS from that file, `--require` included, and exits with
 * status 9 if the file is missing. The program's first line starts Node with `--`, so only
 * `node a3s-box.cjs` and `npx` are affected. Node has read the file before this program runs. The
 * refusal cannot undo that. It keeps users from relying on it.
 *
 * `npx -c COMMAND` keeps the command's arguments from Node, and so does `npx -- a3s-box`. Of these
 * the first can be told from npm's title, and is not refused. npm hides the `--`, so the second is
 * refused without need.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { UsageError } from './usage-error.ts';

/** npx runs programs through a shell. */
const GENERATIONS = 2;

/**
 * The title that npm gives its own process while npx runs a program by its name. With `-c` no name
 * follows.
 */
const NPX_TITLE = /^npm exec ./;

interface Started {
  /** The kernel's view of the command line, which includes Node's own options and `--`. */
  readonly commandLine: readonly string[];
  /** The command lines of the ancestors of this process, nearest first. */
  readonly ancestors: readonly (readonly string[])[];
}

/** @throws UsageError if Node or npx took an argument as an option of Node */
export function refuseOptionsOfNode(args: readonly string[], started = startOf('self')): void {
  const option = optionOfNode(args);
  if (option === undefined) return;
  const byNpx = started.ancestors.some(([title = '']) => NPX_TITLE.test(title));
  const beforeArgs = started.commandLine.slice(0, started.commandLine.length - args.length);
  if (!byNpx && beforeArgs.includes('--')) return;
  const reader = byNpx ? 'npx' : 'node';
  throw new UsageError(`cannot use ${option} through ${reader}: Node reads that file itself`, {
    remedy:
      'Run the program itself: a3s-box where it is installed, ./a3s-box in a checkout. Its own start keeps every argument from Node.',
  });
}

function optionOfNode(args: readonly string[]): string | undefined {
  const end = args.indexOf('--');
  const read = end < 0 ? args : args.slice(0, end);
  return read.find((arg) => arg.startsWith('--env-file'))?.replace(/=.*/s, '');
}

/**
 * A process that is gone, or belongs to another user, has an empty command line, which has no `--`.
 */
function startOf(process: string): Started {
  const ancestors: string[][] = [];
  let parent = parentOf(process);
  while (parent !== undefined && ancestors.length < GENERATIONS) {
    ancestors.push(commandLineOf(parent));
    parent = parentOf(parent);
  }
  return { commandLine: commandLineOf(process), ancestors };
}

function commandLineOf(process: string): string[] {
  return (readProcess(process, 'cmdline') ?? '').split('\0').slice(0, -1);
}

function parentOf(process: string): string | undefined {
  return /^PPid:\t([1-9][0-9]*)$/m.exec(readProcess(process, 'status') ?? '')?.[1];
}

function readProcess(process: string, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${process}/${file}`, 'utf8');
  } catch {
    return undefined;
  }
}
