/**
 * The help text of one command, laid out as Docker's.
 *
 * @module
 */
import type { DescribedCommand } from '../command-entry.ts';
import { parserOf } from '../command-tree.ts';
import { type Flag, HELP } from '../flags/flag.ts';
import { columnsFor, hanging, helpRow } from '../output/help-width.ts';

export function commandHelp(path: string, command: DescribedCommand, width: number): string {
  return parserOf(path, command)
    .configureHelp({ formatHelp: () => layOut(path, command, width) })
    .helpInformation();
}

function layOut(path: string, command: DescribedCommand, width: number): string {
  const usage = hanging('Usage:  ', `a3s-box ${path} ${command.usage}`.trimEnd(), width);
  const shown = [...command.flags, HELP].filter((flag) => flag.refused === undefined);
  const description = command.description.split('\n').map((line) => hanging('', line, width));
  return `\n${usage}\n\n${description.join('\n')}\n\nOptions:\n${flagTable(shown, width)}`;
}

function flagTable(flags: readonly Flag[], width: number): string {
  const terms = flags.map((flag) => {
    const short = flag.short === undefined ? '   ' : `-${flag.short},`;
    const value = flag.kind === 'bool' ? '' : ` ${flag.value ?? flag.kind}`;
    return `  ${short} --${flag.name}${value}`;
  });
  const columns = columnsFor(terms, width);
  return flags
    .map((flag, index) => {
      const help = flag.on === true ? `${flag.help} (default true)` : flag.help;
      return `${helpRow(terms[index] ?? '', help, columns)}\n`;
    })
    .join('');
}
