/**
 * Turns arguments into an exit status: finds the command, parses its flags, runs it.
 *
 * @module
 */
import { A3sError, ERRORS } from '../errors.ts';
import { GLOBAL_FLAGS } from './cli-flags.ts';
import type { Command } from './command.ts';
import type { DescribedCommand, Entry } from './command-entry.ts';
import { COMMANDS, GROUPS } from './command-table/command-table.ts';
import { HIDDEN_COMMANDS } from './command-table/system.ts';
import type { Context } from './context.ts';
import { HELP } from './flags/flag.ts';
import { FlagValues } from './flags/flag-values.ts';
import { canonicalize, type Given, seeHelp, UnknownFlag } from './flags/pflag.ts';
import { printFailure } from './print-failure.ts';
import { UsageError } from './usage-error.ts';
import { VERSION } from './version.ts';

/** Of the record of a box whose start was refused. A command has a status of its own for that. */
const REFUSED = 125;

/** Runs one command line. Never rejects: errors are printed and become the exit status. */
export async function runCli(args: readonly string[], context: Context): Promise<number> {
  const statuses: Statuses = { usage: undefined, failure: 1 };
  try {
    const found = await findCommand(args, context, statuses);
    if (typeof found === 'number') return found;
    const command = await found.entry.load();
    statuses.usage = command.usageStatus ?? statuses.usage;
    statuses.failure = command.failureStatus ?? statuses.usage ?? 1;
    return await runCommand(found.path, command, found.args, context);
  } catch (error) {
    printFailure(context, await withSuggestion(error));
    if (error instanceof UsageError) return statuses.usage ?? error.status;
    return failureStatus(error, statuses.failure);
  }
}

/**
 * Docker's exit status for a failure: that of a program that could not be started, and `otherwise`
 * for any other failure.
 */
function failureStatus(error: unknown, otherwise: number): number {
  const exitCode = error instanceof A3sError ? ERRORS[error.code].exitCode : undefined;
  return exitCode === undefined || exitCode === REFUSED ? otherwise : exitCode;
}

/** Exit statuses for errors, filled in once the command is known. */
interface Statuses {
  /** Set where it differs from Docker's status for the mistake. */
  usage: number | undefined;
  failure: number;
}

interface Found {
  readonly path: string;
  readonly entry: Entry;
  readonly args: readonly string[];
}

async function findCommand(
  args: readonly string[],
  context: Context,
  statuses: Statuses,
): Promise<Found | number> {
  const { flags, operands } = canonicalize('', GLOBAL_FLAGS, args, false);
  if (isOn(flags, 'version')) {
    context.stdout.write(`A3S Box version ${VERSION}\n`);
    return 0;
  }
  const [name, ...rest] = operands;
  if (name === undefined || isOn(flags, 'help') || name === 'help') {
    if (name === 'help' && rest.length > 0) {
      return findCommand([...rest, '--help'], context, statuses);
    }
    const { rootHelp } = await import('./help/help.ts');
    const { helpWidth } = await import('./output/help-width.ts');
    context.stdout.write(rootHelp(helpWidth(context)));
    return 0;
  }
  const group = own(GROUPS, name);
  if (group !== undefined) {
    statuses.usage = group.usageStatus;
    return findInGroup(name, rest, context);
  }
  const entry = own(COMMANDS, name) ?? own<Entry>(HIDDEN_COMMANDS, name);
  if (entry === undefined) {
    throw await unknownCommand('', name, [...Object.keys(COMMANDS), ...Object.keys(GROUPS)]);
  }
  return { path: name, entry, args: rest };
}

async function findInGroup(
  name: string,
  args: readonly string[],
  context: Context,
): Promise<Found | number> {
  const group = GROUPS[name];
  if (group === undefined) throw new TypeError(`no group ${name}`);
  const { flags, operands } = canonicalize(name, [HELP], args, false);
  const [verb, ...rest] = operands;
  if (verb === undefined || flags.length > 0) {
    const { groupHelp } = await import('./help/help.ts');
    const { helpWidth } = await import('./output/help-width.ts');
    context.stdout.write(groupHelp(name, group, helpWidth(context)));
    return 0;
  }
  const entry = own(group.commands, verb);
  if (entry === undefined) throw await unknownCommand(name, verb, Object.keys(group.commands));
  return { path: `${name} ${verb}`, entry, args: rest };
}

async function runCommand(
  path: string,
  command: DescribedCommand,
  args: readonly string[],
  context: Context,
): Promise<number> {
  const table = [...command.flags, HELP];
  const { flags, operands } = isVerbatim(command, args)
    ? { flags: [], operands: args }
    : canonicalize(path, table, args, command.passThrough !== true);
  const values = new FlagValues(path, table, flags);
  if (values.bool('help')) {
    const { commandHelp } = await import('./help/command-help.ts');
    const { helpWidth } = await import('./output/help-width.ts');
    context.stdout.write(commandHelp(path, command, helpWidth(context)));
    return 0;
  }
  checkOperands(path, command, operands.length);
  return command.run({ context, flags: values, operands, path });
}

function isVerbatim(command: Command, args: readonly string[]): boolean {
  const isHelp = args.length === 1 && args[0] === '--help';
  return command.verbatim === true && !isHelp;
}

function checkOperands(path: string, command: Command, count: number): void {
  const { min, max } = command.operands;
  if (count >= min && count <= max) return;
  const plural = (number: number): string => `${number} argument${number === 1 ? '' : 's'}`;
  let wants = `at least ${plural(min)}`;
  if (min === max) wants = `exactly ${plural(min)}`;
  else if (count > max) wants = `at most ${plural(max)}`;
  const message =
    max === 0 ? `"a3s-box ${path}" accepts no arguments` : `"a3s-box ${path}" requires ${wants}`;
  throw new UsageError(message, {
    status: 1,
    remedy: `Usage: a3s-box ${path} ${command.usage}\n${seeHelp(path)}`,
  });
}

async function unknownCommand(
  group: string,
  name: string,
  known: readonly string[],
): Promise<UsageError> {
  const { nearest } = await import('./help/nearest.ts');
  const { UNSUPPORTED_COMMANDS } = await import('./command-table/unsupported-commands.ts');
  const path = group === '' ? name : `${group} ${name}`;
  const instead = UNSUPPORTED_COMMANDS.get(path) ?? UNSUPPORTED_COMMANDS.get(name);
  if (instead !== undefined) {
    return new UsageError(`unsupported command ${path}: ${instead}`, {
      code: 'unsupported-option',
      remedy: seeHelp(group),
    });
  }
  const guess = nearest(name, known);
  const hint =
    guess === undefined ? '' : `Did you mean '${group === '' ? '' : `${group} `}${guess}'? `;
  return new UsageError(`'${path}' is not an a3s-box command`, {
    status: 1,
    remedy: `${hint}${seeHelp(group)}`,
  });
}

/** The same mistake, with the flag that was probably meant. */
async function withSuggestion(error: unknown): Promise<unknown> {
  if (!(error instanceof UnknownFlag)) return error;
  const { nearest } = await import('./help/nearest.ts');
  const guess = nearest(error.flag, error.known);
  if (guess === undefined) return error;
  const remedy = `Did you mean --${guess}? ${error.remedy ?? ''}`.trim();
  return new UsageError(error.message, { status: error.status, remedy });
}

function isOn(flags: readonly Given[], name: string): boolean {
  return flags.some((flag) => flag.name === name && flag.value === 'true');
}

function own<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}
