/**
 * Parses Docker's flag syntax, which is that of Go's pflag: `--rm=false`, `-m=512m`, `-itd`, and
 * the end of flags.
 *
 * @module
 */
import { UsageError } from '../usage-error.ts';
import { parseGoBool } from '../values/go-bool.ts';
import { type Flag, flagLabel } from './flag.ts';

/** A flag of the command line, by its full name; a boolean's value is `true` or `false`. */
export interface Given {
  readonly name: string;
  readonly value: string;
}

export interface Canonical {
  /** In the order given. */
  readonly flags: readonly Given[];
  readonly operands: readonly string[];
}

/** An unknown flag, with the known flags. */
export class UnknownFlag extends UsageError {
  readonly flag: string;
  readonly known: readonly string[];

  constructor(path: string, table: readonly Flag[], flag: string) {
    super(`unknown flag: --${flag}`, { remedy: seeHelp(path) });
    this.flag = flag;
    this.known = table.filter(({ refused }) => refused === undefined).map(({ name }) => name);
  }
}

/**
 * @param path the name that the user called, such as `run` or `container ls`; for messages
 * @param interspersed whether flags may follow operands; where they may not, everything after the
 * first operand belongs to the command that runs in the box
 * @throws UsageError for an unknown or refused flag, or a value that is missing or not a boolean
 */
export function canonicalize(
  path: string,
  table: readonly Flag[],
  args: readonly string[],
  interspersed: boolean,
): Canonical {
  const flags: Given[] = [];
  const operands: string[] = [];
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === '--') {
      operands.push(...rest);
      break;
    }
    if (arg === '-' || !arg.startsWith('-')) {
      operands.push(arg);
      if (interspersed) continue;
      operands.push(...rest);
      break;
    }
    flags.push(
      ...(arg.startsWith('--') ? long(path, table, arg, rest) : shorts(path, table, arg, rest)),
    );
  }
  return { flags, operands };
}

function long(path: string, table: readonly Flag[], arg: string, rest: string[]): Given[] {
  const equals = arg.indexOf('=');
  const name = equals < 0 ? arg.slice(2) : arg.slice(2, equals);
  const flag = table.find((candidate) => candidate.name === name || candidate.alias === name);
  if (flag === undefined) throw new UnknownFlag(path, table, name);
  refuse(path, flag, `--${name}`);
  if (equals >= 0) return [given(path, flag, arg.slice(equals + 1))];
  if (flag.kind === 'bool') return [{ name: flag.name, value: 'true' }];
  const value = rest.shift();
  if (value === undefined) throw usage(path, `flag needs an argument: --${name}`);
  return [given(path, flag, value)];
}

/** `-it`, `-eA=B`, `-e A=B`, `-m=512m`, `-i=false`: letters up to the first that takes a value. */
function shorts(path: string, table: readonly Flag[], arg: string, rest: string[]): Given[] {
  const found: Given[] = [];
  for (let at = 1; at < arg.length; at++) {
    const letter = arg.charAt(at);
    const flag = table.find((candidate) => candidate.short === letter);
    if (flag === undefined) {
      throw usage(path, `unknown shorthand flag: '${letter}' in -${arg.slice(at)}`);
    }
    refuse(path, flag, `-${letter}`);
    const tail = arg.slice(at + 1);
    if (tail.startsWith('=') && (flag.kind === 'bool' || tail.length > 1)) {
      return [...found, given(path, flag, tail.slice(1))];
    }
    if (flag.kind === 'bool') {
      found.push({ name: flag.name, value: 'true' });
      continue;
    }
    const value = tail === '' ? rest.shift() : tail;
    if (value === undefined) {
      throw usage(path, `flag needs an argument: '${letter}' in -${arg.slice(at)}`);
    }
    return [...found, given(path, flag, value)];
  }
  return found;
}

function given(path: string, flag: Flag, value: string): Given {
  const { name } = flag;
  if (flag.kind !== 'bool') return { name, value };
  const truth = parseGoBool(value);
  if (truth !== undefined) return { name, value: String(truth) };
  throw usage(
    path,
    `invalid argument "${value}" for "${flagLabel(flag)}" flag: must be true or false`,
  );
}

function refuse(path: string, flag: Flag, spelled: string): void {
  if (flag.refused === undefined) return;
  throw new UsageError(`unsupported flag ${spelled} for ${path}: ${flag.refused}`, {
    code: 'unsupported-option',
    remedy: seeHelp(path),
  });
}

function usage(path: string, message: string): UsageError {
  return new UsageError(message, { remedy: seeHelp(path) });
}

/** Docker's pointer to the help of a command. */
export function seeHelp(path: string): string {
  return `See 'a3s-box ${path === '' ? '' : `${path} `}--help'.`;
}
