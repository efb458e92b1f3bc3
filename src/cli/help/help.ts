/**
 * Help texts of all commands and of a group, laid out as Docker's.
 *
 * @module
 */

import type { Group } from '../command-entry.ts';
import { COMMON_COMMANDS, GROUPS, OTHER_COMMANDS } from '../command-table/command-table.ts';
import { hanging, helpRow } from '../output/help-width.ts';

type Summaries = Readonly<Record<string, { readonly summary: string }>>;

const NAMES = 13;
const GROUP_NAMES = 11;

export function rootHelp(width: number): string {
  const rows = (entries: Summaries): readonly string[] => commandRows(entries, NAMES, width);
  return [
    '',
    'Usage:  a3s-box [OPTIONS] COMMAND',
    '',
    'Runs OCI images, each in its own microVM',
    '',
    'Common Commands:',
    ...rows(COMMON_COMMANDS),
    '',
    'Management Commands:',
    ...rows(GROUPS),
    '',
    'Commands:',
    ...rows(OTHER_COMMANDS),
    '',
    'Global Options:',
    '      --help      Print usage',
    '  -v, --version   Print version information and quit',
    '',
    hanging('', "Run 'a3s-box COMMAND --help' for more information on a command.", width),
    '',
  ].join('\n');
}

export function groupHelp(name: string, group: Group, width: number): string {
  const names = Object.keys(group.commands).map((command) => command.length);
  return [
    '',
    `Usage:  a3s-box ${name} COMMAND`,
    '',
    hanging('', group.summary, width),
    '',
    'Commands:',
    ...commandRows(group.commands, Math.max(GROUP_NAMES, ...names), width),
    '',
    hanging('', `Run 'a3s-box ${name} COMMAND --help' for more information on a command.`, width),
    '',
  ].join('\n');
}

function commandRows(entries: Summaries, names: number, width: number): readonly string[] {
  const columns = { terms: names + 3, width };
  return Object.entries(entries).map(([name, { summary }]) =>
    helpRow(`  ${name}`, summary, columns),
  );
}
