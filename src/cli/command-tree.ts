/**
 * All commands as a tree of commander's, from which the help, the reference and the completion
 * scripts are made.
 *
 * commander does not parse the command line: the flags follow Go's syntax.
 *
 * @module
 */
import { Option, Command as Parser } from 'commander';
import { GLOBAL_FLAGS } from './cli-flags.ts';
import type { DescribedCommand, Entries, Entry, Group } from './command-entry.ts';
import { type Flag, HELP } from './flags/flag.ts';

/** Loads every command. */
export async function commandTree(
  commands: Entries,
  groups: Readonly<Record<string, Group>>,
): Promise<Parser> {
  const root = new Parser('a3s-box')
    .description('Runs OCI images, each in its own microVM')
    .usage('[OPTIONS] COMMAND')
    .helpOption(false)
    .helpCommand(false);
  for (const flag of GLOBAL_FLAGS) root.addOption(optionOf(flag));
  for (const [name, entry] of Object.entries(commands)) root.addCommand(await loaded(name, entry));
  for (const [name, group] of Object.entries(groups)) {
    const parser = new Parser(name)
      .description(group.summary)
      .summary(group.summary)
      .usage('COMMAND')
      .helpOption(false)
      .helpCommand(false);
    const seen = new Map<Entry, Parser>();
    for (const [verb, entry] of Object.entries(group.commands)) {
      const same = seen.get(entry);
      if (same !== undefined) {
        same.alias(verb);
        continue;
      }
      const child = await loaded(verb, entry);
      seen.set(entry, child);
      parser.addCommand(child);
    }
    root.addCommand(parser);
  }
  return root;
}

async function loaded(name: string, entry: Entry): Promise<Parser> {
  return parserOf(name, await entry.load()).summary(entry.summary);
}

/** The commander command of one of this project's commands. */
export function parserOf(name: string, command: DescribedCommand): Parser {
  const parser = new Parser(name)
    .description(command.description)
    .usage(command.usage)
    .helpOption(false);
  for (const flag of [...command.flags, HELP]) parser.addOption(optionOf(flag));
  return parser;
}

function optionOf(flag: Flag): Option {
  const short = flag.short === undefined ? '' : `-${flag.short}, `;
  const value = flag.kind === 'bool' ? '' : ` <${flag.value ?? flag.kind}>`;
  const option = new Option(`${short}--${flag.name}${value}`, flag.refused ?? flag.help);
  // commander would take `--no-trunc` for the negation of a flag `trunc`.
  option.negate = false;
  if (flag.on === true) option.default(true);
  return flag.refused === undefined ? option : option.hideHelp();
}
