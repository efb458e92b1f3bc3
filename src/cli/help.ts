/**
 * Help texts of all commands and of a group, laid out as Docker's.
 *
 * @module
 */
import type { Entries, Group } from './registry/entry.ts';
import { COMMON_COMMANDS, GROUPS, OTHER_COMMANDS } from './registry.ts';

export function rootHelp(): string {
  return [
    '',
    'Usage:  a3s-box [OPTIONS] COMMAND',
    '',
    'Runs OCI images, each in its own microVM',
    '',
    'Common Commands:',
    ...commandLines(COMMON_COMMANDS),
    '',
    'Management Commands:',
    ...Object.entries(GROUPS).map(([name, group]) => `  ${name.padEnd(13)} ${group.summary}`),
    '',
    'Commands:',
    ...commandLines(OTHER_COMMANDS),
    '',
    'Global Options:',
    '      --help      Print usage',
    '  -v, --version   Print version information and quit',
    '',
    "Run 'a3s-box COMMAND --help' for more information on a command.",
    '',
  ].join('\n');
}

function commandLines(entries: Entries): readonly string[] {
  return Object.entries(entries).map(([name, { summary }]) => `  ${name.padEnd(13)} ${summary}`);
}

export function groupHelp(name: string, group: Group): string {
  const width = Math.max(11, ...Object.keys(group.commands).map((command) => command.length));
  const lines = Object.entries(group.commands).map(
    ([command, { summary }]) => `  ${command.padEnd(width)} ${summary}`,
  );
  return [
    '',
    `Usage:  a3s-box ${name} COMMAND`,
    '',
    group.summary,
    '',
    'Commands:',
    ...lines,
    '',
    `Run 'a3s-box ${name} COMMAND --help' for more information on a command.`,
    '',
  ].join('\n');
}
