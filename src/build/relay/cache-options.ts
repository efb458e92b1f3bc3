/**
 * Where a build's cache comes from, and where it goes.
 *
 * A cache says which bytes each step has made, and nothing can prove it. From a registry it comes
 * like an image, which the image policy decides on. One of the client's own would give any bytes
 * to any step, and the builder would keep them for later builds of others.
 *
 * @module
 */
import * as z from 'zod';
import { A3sError } from '../../errors.ts';
import { type Field, mapOf, ProtobufError, readFields, textOf } from '../wire/protobuf.ts';
import { cacheTarget, type PushTarget, pushes } from './pushes.ts';

/** The attribute by which clients tell a frontend what to import: a JSON array. */
export const CACHE_IMPORTS = 'cache-imports';

/** Fields of `moby.buildkit.v1.CacheOptions`. */
const OPTIONS = { olderExport: 1, exports: 4, imports: 5 } as const;
/** Fields of `moby.buildkit.v1.CacheOptionsEntry`. */
const ENTRY = { type: 1, attrs: 2 } as const;
/** The attribute that names where a cache is. */
const REF = 'ref';

const REGISTRY = 'registry';
/** Exports with the result, to the client's files, and to a registry. */
const EXPORTS = ['inline', 'local', REGISTRY];

const MAX_ENTRIES = 100;

const Imports = z
  .array(z.strictObject({ Type: z.string(), Attrs: z.record(z.string(), z.string()).optional() }))
  .max(MAX_ENTRIES);

/**
 * Where the build writes its cache.
 *
 * @param fields each field that holds cache options
 * @throws ProtobufError; A3sError `unsupported-option`, `invalid-reference`
 */
export function checkCache(fields: readonly Field[]): readonly PushTarget[] {
  const targets: PushTarget[] = [];
  // Several would be one for the builder, with the entries of all.
  for (const { content } of atMost(fields)) {
    const options = readFields(content ?? Buffer.alloc(0));
    const numbered = (wanted: number) => options.filter(({ number }) => number === wanted);
    // Of older clients: it names a registry.
    if (numbered(OPTIONS.olderExport).length > 0) throw pushes('its cache');
    for (const { type, attrs } of entriesOf(numbered(OPTIONS.exports))) {
      if (!EXPORTS.includes(type)) throw pushes('its cache');
      if (type === REGISTRY) targets.push(cacheTarget(attrs.get(REF) ?? ''));
    }
    checkImports(numbered(OPTIONS.imports));
  }
  return targets;
}

/**
 * @param fields each field that holds an entry
 * @throws ProtobufError; A3sError `unsupported-option`
 */
export function checkImports(fields: readonly Field[]): void {
  for (const { type } of entriesOf(fields)) checkImport(type);
}

/**
 * The value of the attribute, written anew: Go reads JSON in more ways than one.
 *
 * @throws ProtobufError; A3sError `unsupported-option`
 */
export function checkedImports(text: string): string {
  const imports = Imports.safeParse(parsed(text));
  if (!imports.success) throw new ProtobufError(`${CACHE_IMPORTS} is no list of caches`);
  for (const { Type } of imports.data) checkImport(Type);
  return JSON.stringify(imports.data);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ProtobufError(`${CACHE_IMPORTS} is no JSON`, { cause: error });
  }
}

interface Entry {
  readonly type: string;
  readonly attrs: ReadonlyMap<string, string>;
}

function entriesOf(fields: readonly Field[]): readonly Entry[] {
  return atMost(fields).map(({ content }) => {
    const entry = readFields(content ?? Buffer.alloc(0), MAX_ENTRIES);
    return { type: textOf(entry, ENTRY.type), attrs: mapOf(entry, ENTRY.attrs) };
  });
}

function atMost(fields: readonly Field[]): readonly Field[] {
  if (fields.length <= MAX_ENTRIES) return fields;
  throw new ProtobufError(`a build has over ${MAX_ENTRIES} caches`);
}

function checkImport(type: string): void {
  if (type === REGISTRY) return;
  throw new A3sError(
    'unsupported-option',
    `Cannot use a cache of type ${type.slice(0, 40)}: nothing proves what it says of a step`,
    { remedy: 'Use one from a registry: --cache-from IMAGE.' },
  );
}
