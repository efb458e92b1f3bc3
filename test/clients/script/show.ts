/**
 * What commands of the script are compared by, where order or a last newline is each engine's own.
 *
 * @module
 */

/** The lines, in the order of the alphabet. */
export function sorted(text: string): string {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .sort()
    .join('\n');
}

/** The names of `ps`'s columns, and what runs. */
export function columns(text: string): string {
  const [names = '', ...lines] = text.trim().split('\n');
  const width = names.split(' ').length;
  const command = (line: string): string =>
    line
      .split(' ')
      .slice(width - 1)
      .join(' ');
  return [names, ...lines.map(command)].join('\n');
}
