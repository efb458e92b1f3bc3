/**
 * `--label KEY[=VALUE]`.
 *
 * @module
 */

/** The label as it was given. @throws RangeError in Docker's words where its key is none */
export function parseLabel(text: string): string {
  const key = text.replace(/=.*$/s, '').replace(/^[ \t]+/, '');
  if (key === '') throw new RangeError(`invalid label '${text}': empty name`);
  if (/[ \t]/.test(key)) throw new RangeError(`label '${key}' contains whitespaces`);
  return text;
}
