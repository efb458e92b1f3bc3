/**
 * `--volume`: `[SOURCE:]TARGET[:MODE]`.
 *
 * @module
 */
import { resolve } from 'node:path';

export type VolumeFlag =
  /** As `Binds` of the API has it: the source is an absolute host path, or the name of a volume. */
  | { readonly kind: 'bind'; readonly bind: string }
  /** A new volume without a name, by its path in the box. */
  | { readonly kind: 'anonymous'; readonly path: string };

/**
 * Words of a mode; of each kind there is at most one. The server decides which of them it can do.
 */
const MODES: ReadonlyMap<string, string> = new Map([
  ...['ro', 'rw'].map((word) => [word, 'access'] as const),
  ...['z', 'Z'].map((word) => [word, 'label'] as const),
  ['nocopy', 'copy'],
  ...['consistent', 'cached', 'delegated'].map((word) => [word, 'consistency'] as const),
  ...['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'].map(
    (word) => [word, 'propagation'] as const,
  ),
]);

/** Those that belong to `sealed`, which is none of Docker's. */
const SEALED_WORDS: ReadonlyMap<string, string> = new Map([
  ['sealed', 'sealed'],
  ['init', 'origin'],
  ...['exact', 'upgradable'].map((word) => [word, 'policy'] as const),
]);

/**
 * A relative host path starts with a dot, and is resolved against `cwd`.
 *
 * @throws RangeError for a malformed spec
 */
export function parseVolume(spec: string, cwd: string): VolumeFlag {
  if (spec === '') throw new RangeError('invalid empty volume spec');
  const sections = spec.split(':');
  if (sections.slice(0, 3).includes('')) {
    throw new RangeError(`invalid spec: ${spec}: empty section between colons`);
  }
  if (sections.length > 3) throw new RangeError(`invalid spec: ${spec}: too many colons`);
  const [source = '', target, mode] = sections;
  if (target === undefined) {
    checkTarget(source);
    return { kind: 'anonymous', path: source };
  }
  if (source.startsWith('~')) throw new RangeError(`the host path must be absolute: ${source}`);
  checkTarget(target);
  if (mode !== undefined) checkMode(mode);
  const from = /^[./]/.test(source) ? resolve(cwd, source) : source;
  return { kind: 'bind', bind: [from, target, ...(mode === undefined ? [] : [mode])].join(':') };
}

function checkTarget(target: string): void {
  if (target.startsWith('/') && !/^\/+$/.test(target)) return;
  throw new RangeError(`the path in the box must be absolute and not the root: ${target}`);
}

function checkMode(mode: string): void {
  const words = mode.split(',');
  const kinds = words.map((word) => MODES.get(word) ?? sealedKind(words, word));
  if (!kinds.includes(undefined) && new Set(kinds).size === kinds.length) return;
  throw new RangeError(`invalid mode: ${mode}`);
}

function sealedKind(words: readonly string[], word: string): string | undefined {
  if (!words.includes('sealed')) return undefined;
  if (word.startsWith('counter=')) return 'counter';
  // It says which guests get the key, as a policy does.
  if (word.startsWith('key=broker/')) return 'policy';
  return word.startsWith('id=') ? 'origin' : SEALED_WORDS.get(word);
}
