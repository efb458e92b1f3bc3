/**
 * Help texts of all commands and of a group, laid out as Docker's.
 *
 * @module
 */
import { COMMANDS, GROUPS, type Group } from './registry.ts';

const COMMON = [
  'run',
  'exec',
  'ps',
  'pull',
  'push',
  'images',
  'login',
  'logout',
  'version',
  'info',
];

export function rootHelp(): string {
  const rest = Object.keys(COMMANDS).filter((name) => !COMMON.includes(name));
  return [
    '',
    'Usage:  a3s-box [OPTIONS] COMMAND',
    '',
    'Runs OCI images, each in its own microVM',
    '',
    'Common Commands:',
    ...COMMON.map(commandLine),
    '',
    'Management Commands:',
    ...Object.entries(GROUPS).map(([name, group]) => `  ${name.padEnd(13)} ${group.summary}`),
    '',
    'Commands:',
    ...rest.map(commandLine),
    '',
    'Global Options:',
    '      --help      Print usage',
    '  -v, --version   Print version information and quit',
    '',
    "Run 'a3s-box COMMAND --help' for more information on a command.",
    '',
  ].join('\n');
}

function commandLine(name: string): string {
  return `  ${name.padEnd(13)} ${COMMANDS[name]?.summary ?? ''}`;
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
