/**
 * The form in which outputs of the script are compared, where order or a last newline differs
 * between engines.
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

/** Of a JSON object its keys, in the order of the alphabet, with those of the objects within it. */
export function keys(text: string): string {
  return [...keysOf(JSON.parse(text), '')].sort().join('\n');
}

function* keysOf(value: unknown, path: string): Generator<string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
  for (const [key, below] of Object.entries(value)) {
    yield `${path}${key}`;
    yield* keysOf(below, `${path}${key}.`);
  }
}

/** A number alone: a size, which is each engine's own. */
export function size(text: string): string {
  return text.replace(/^\d+$/gm, '<size>');
}

/** Why a process did not start, without those who say so. */
export function reason(text: string): string {
  return text
    .replace(/^((OCI runtime )?exec failed: (unable to start container process: )?)+/, '')
    .replace(/ set in config.json|: unknown\b/g, '');
}
