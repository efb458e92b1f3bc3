/**
 * A description of a launch: a launch record, alone or with the launch spec, in the format of
 * `a3s-box measure` and the server.
 *
 * @module
 */
import { isObject } from '../../../client/json.ts';
import type { Context } from '../../../context.ts';
import { InputError } from '../../../files/input-error.ts';
import { inputName, readInput } from '../../../files/input-file.ts';
import { type Library, refusing } from '../load-library.ts';

/** Room for a spec of 4 MiB with each of its characters escaped, and more. */
const MAX_DOCUMENT = 32 * 1024 * 1024;

export interface LaunchDocument {
  /** Undefined where a host no longer has it. */
  readonly record: ReturnType<Library['parseLaunchRecord']> | undefined;
  /** Undefined where the record is alone. */
  readonly spec: string | undefined;
}

/**
 * @param flag that names the file
 * @throws InputError `launch-record-malformed`; UsageError for a file that cannot be read
 */
export async function readLaunch(
  context: Context,
  library: Library,
  path: string,
  flag: string,
): Promise<LaunchDocument> {
  const bytes = await readInput(context, path, MAX_DOCUMENT, flag);
  const name = inputName(path);
  const { record, spec } = parts(parseJson(name, bytes));
  if (spec !== undefined && !isSpecText(library, spec)) {
    throw malformed(name, 'its spec is not the text of a launch spec');
  }
  if (record === null) return { record: undefined, spec };
  return { record: refusing(library, name, () => library.parseLaunchRecord(record)), spec };
}

function parts(document: unknown): { record: unknown; spec?: unknown } {
  if (!isObject(document) || document['launch'] === undefined) return { record: document };
  return { record: document['launch'], spec: document['spec'] };
}

/** Whether the value has a canonical text: it must not be too deep to be compared. */
function isSpecText(library: Library, spec: unknown): spec is string {
  if (typeof spec !== 'string') return false;
  try {
    // `canonicalJson` checks that it is JSON, and refuses any other value.
    const value = JSON.parse(spec) as Parameters<Library['canonicalJson']>[0];
    return library.canonicalJson(value) !== '' && isObject(value);
  } catch {
    return false;
  }
}

function parseJson(name: string, bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw malformed(name, 'it is no JSON', cause);
  }
}

function malformed(name: string, reason: string, cause?: unknown): InputError {
  return new InputError('launch-record-malformed', `${name}: ${reason}`, { cause });
}
