/**
 * `--security-opt OPTION[=VALUE]`, as Docker's client sends it.
 *
 * @module
 */
import { readFileSync, statSync } from 'node:fs';
import { UsageError } from '../usage-error.ts';

/** Makes no path of /proc and /sys masked or read-only. The client makes two empty lists of it. */
export const SYSTEM_PATHS = 'systempaths=unconfined';

const MAX_PROFILE = 1024 * 1024;

/**
 * The option for the server, which gets the text of a profile, and not the name of its file.
 *
 * @throws UsageError in Docker's words
 */
export function securityOption(option: string, absolute: (path: string) => string): string {
  if (option === 'no-new-privileges') return option;
  const [, key = '', value = ''] =
    /^([^=]*)=(.*)$/s.exec(option) ?? /^([^:]*):(.*)$/s.exec(option) ?? [];
  if (value === '') throw new UsageError(`invalid --security-opt: ${JSON.stringify(option)}`);
  if (key !== 'seccomp' || ['builtin', 'unconfined'].includes(value)) return option;
  return `seccomp=${profile(value, absolute(value))}`;
}

function profile(name: string, path: string): string {
  let text: string;
  try {
    if (statSync(path).size > MAX_PROFILE) {
      throw new RangeError(`it has more than ${MAX_PROFILE} bytes`);
    }
    text = readFileSync(path, 'utf8').trim();
  } catch (cause) {
    throw new UsageError(`opening seccomp profile (${name}) failed: ${reasonOf(cause)}`);
  }
  try {
    JSON.parse(text);
  } catch (cause) {
    throw new UsageError(
      `compacting json for seccomp profile (${name}) failed: ${reasonOf(cause)}`,
    );
  }
  return text;
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
