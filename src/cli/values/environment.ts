/**
 * Environment and labels from flags and files, read exactly as Docker reads them.
 *
 * @module
 */
import { readFileSync, statSync } from 'node:fs';
import { UsageError } from '../usage-error.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const MAX_FILE = 4 * 1024 * 1024;

/**
 * `NAME=value`, or `NAME` alone, whose value comes from the caller's environment; undefined where
 * it has none.
 *
 * @throws RangeError where there is no name
 */
export function parseEnvironment(text: string, env: Environment): string | undefined {
  const equals = text.indexOf('=');
  if (equals === 0 || text === '') throw new RangeError(`invalid environment variable: ${text}`);
  if (equals > 0) return text;
  const value = env[text];
  return value === undefined ? undefined : `${text}=${value}`;
}

/** `--label KEY[=VALUE]`. @throws RangeError in Docker's words where its key is none */
export function parseLabel(text: string): string {
  const key = text.replace(/=.*$/s, '').replace(/^[ \t]+/, '');
  if (key === '') throw new RangeError(`invalid label '${text}': empty name`);
  if (/[ \t]/.test(key)) throw new RangeError(`label '${key}' contains whitespaces`);
  return text;
}

/**
 * The `KEY=value` lines of a file. No quotes, no expansion; a key alone takes its value from `env`,
 * or is left out.
 *
 * @throws UsageError for a file that cannot be read or a line without a proper key
 */
export function readEnvironmentFile(path: string, env: Environment): readonly string[] {
  return readKeys(path, (key) => (env[key] === undefined ? undefined : `${key}=${env[key]}`));
}

/** The same for labels, where a key alone has an empty value. */
export function readLabelFile(path: string): readonly string[] {
  return readKeys(path, (key) => key);
}

function readKeys(path: string, bare: (key: string) => string | undefined): readonly string[] {
  const found: string[] = [];
  for (const raw of text(path)
    .replace(/^\u{feff}/u, '')
    .split(/\r?\n/)) {
    const line = raw.trimStart();
    if (line === '' || line.startsWith('#')) continue;
    const equals = line.indexOf('=');
    const key = equals < 0 ? line : line.slice(0, equals);
    if (key === '') throw new UsageError(`${path}: no variable name on line '${line}'`);
    if (/[ \t]/.test(key)) throw new UsageError(`${path}: variable '${key}' contains whitespaces`);
    const entry = equals < 0 ? bare(key) : line;
    if (entry !== undefined) found.push(entry);
  }
  return found;
}

function text(path: string): string {
  try {
    if (statSync(path).size > MAX_FILE)
      throw new UsageError(`${path} is larger than ${MAX_FILE} bytes`);
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(readFileSync(path));
  } catch (error) {
    if (error instanceof UsageError) throw error;
    if (error instanceof TypeError) throw new UsageError(`${path} contains invalid UTF-8`);
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const reason = code === 'ENOENT' ? 'no such file or directory' : String(code ?? error);
    throw new UsageError(`open ${path}: ${reason}`);
  }
}

/** `key=value` entries as the API's map; a key alone has an empty value, and the last one wins. */
export function toMap(entries: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    entries.map((entry): [string, string] => {
      const equals = entry.indexOf('=');
      return equals < 0 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)];
    }),
  );
}
