/**
 * Help texts, laid out as Docker's.
 *
 * @module
 */
import { Option, Command as Parser } from 'commander';
import type { Command } from './command.ts';
import { type Flag, HELP } from './flags/flag.ts';
import { COMMANDS, GROUPS, type Group } from './registry.ts';

const WIDTH = 100;
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

/** The commander command of one of ours: one option for each flag, given as `--name=value`. */
export function buildParser(path: string, command: Command): Parser {
  const parser = new Parser(path)
    .description(command.description)
    .usage(command.usage)
    .helpOption(false)
    .configureHelp({ formatHelp: () => commandHelp(path, command) })
    .argument('[operands...]')
    .exitOverride();
  for (const flag of command.flags) parser.addOption(optionOf(flag));
  parser.addOption(optionOf(HELP));
  return parser;
}

function optionOf(flag: Flag): Option {
  const option = new Option(`--${flag.name} <value>`, flag.help);
  // Commander would take `--no-trunc` for the negation of a flag `trunc`.
  option.negate = false;
  option.argParser((value: string, before: readonly string[] | undefined) => [
    ...(before ?? []),
    value,
  ]);
  return option;
}

function commandHelp(path: string, command: Command): string {
  const usage = `Usage:  a3s-box ${path} ${command.usage}`.trimEnd();
  const shown = [...command.flags, HELP].filter((flag) => flag.refused === undefined);
  const description = command.description.split('\n').map((line) => wrap(line, WIDTH, 0));
  return `\n${wrap(usage, WIDTH, 8)}\n\n${description.join('\n')}\n\nOptions:\n${flagTable(shown)}`;
}

function flagTable(flags: readonly Flag[]): string {
  const terms = flags.map((flag) => {
    const short = flag.short === undefined ? '   ' : `-${flag.short},`;
    const value = flag.kind === 'bool' ? '' : ` ${flag.value ?? flag.kind}`;
    return `  ${short} --${flag.name}${value}`;
  });
  const width = Math.max(...terms.map((term) => term.length)) + 3;
  return flags
    .map((flag, index) => {
      const help = flag.on === true ? `${flag.help} (default true)` : flag.help;
      return `${(terms[index] ?? '').padEnd(width)}${wrap(help, WIDTH - width, width)}\n`;
    })
    .join('');
}

function wrap(text: string, width: number, indent: number): string {
  const lines: string[] = [''];
  for (const word of text.split(' ')) {
    const last = lines.at(-1) ?? '';
    if (last !== '' && last.length + word.length >= width) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines.join(`\n${' '.repeat(indent)}`);
}

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
    ...Object.entries(GROUPS).map(([name, group]) => `  ${name.padEnd(11)} ${group.summary}`),
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
  return `  ${name.padEnd(11)} ${COMMANDS[name]?.summary ?? ''}`;
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
