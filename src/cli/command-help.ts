/**
 * The help text of one command, laid out as Docker's.
 *
 * @module
 */
import type { Command } from './command.ts';
import { parserOf } from './command-tree.ts';
import { type Flag, HELP } from './flags/flag.ts';

const WIDTH = 100;

export function commandHelp(path: string, command: Command): string {
  return parserOf(path, command)
    .configureHelp({ formatHelp: () => layOut(path, command) })
    .helpInformation();
}

function layOut(path: string, command: Command): string {
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
