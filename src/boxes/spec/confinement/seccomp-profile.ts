/**
 * Reads seccomp profiles as Docker's client sends them, and makes of them what the agent compiles.
 *
 * @module
 */
import type { SeccompAction, SeccompProfile } from '@a3s-box/policies';
import * as z from 'zod';
import { A3sError } from '../../../errors.ts';

/** Longest text; Docker's own profile has about 12 KiB. */
export const MAX_PROFILE = 512 * 1024;
const EPERM = 1;

/**
 * The least kernel of a boot set: a rule for kernels from some version on holds for it, where that
 * one is older.
 */
const GUEST_KERNEL = [6, 12] as const;

const ACTIONS: Readonly<Record<string, SeccompAction['kind']>> = {
  SCMP_ACT_ALLOW: 'allow',
  SCMP_ACT_ERRNO: 'errno',
  SCMP_ACT_KILL: 'kill-thread',
  SCMP_ACT_KILL_PROCESS: 'kill-process',
  SCMP_ACT_KILL_THREAD: 'kill-thread',
  SCMP_ACT_LOG: 'log',
  SCMP_ACT_TRACE: 'trace',
  SCMP_ACT_TRAP: 'trap',
};
const NOTIFY = 'SCMP_ACT_NOTIFY';

const OPERATORS = {
  SCMP_CMP_EQ: 'eq',
  SCMP_CMP_GE: 'ge',
  SCMP_CMP_GT: 'gt',
  SCMP_CMP_LE: 'le',
  SCMP_CMP_LT: 'lt',
  SCMP_CMP_MASKED_EQ: 'masked-eq',
  SCMP_CMP_NE: 'ne',
} as const;

/** Those that an x86-64 processor runs. Others are known, and say nothing here. */
const ARCHITECTURES = { SCMP_ARCH_X86_64: 'x86_64', SCMP_ARCH_X86: 'x86', SCMP_ARCH_X32: 'x32' };
const OTHER_ARCHITECTURES =
  /^SCMP_ARCH_(ARM|AARCH64|MIPS|MIPS64|MIPS64N32|MIPSEL|MIPSEL64|MIPSEL64N32|PPC|PPC64|PPC64LE|S390|S390X|RISCV64|PARISC|PARISC64|LOONGARCH64)$/;

/** Without effect, since a filter is installed where there is one thread. */
const TSYNC = 'SECCOMP_FILTER_FLAG_TSYNC';
const FLAGS = [TSYNC, 'SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW'] as const;

const list = <Item extends z.ZodType>(item: Item) =>
  z
    .array(item)
    .max(4096)
    .nullish()
    .transform((items) => items ?? []);
const word = z.string().max(256);
const optionalWord = word.nullish().transform((value) => value ?? '');
const errnoRet = z.int().min(0).max(65_535).nullish();
/** 64 bits, as text: `quoteValues` has made it one. */
const value = z
  .string()
  .refine((digits) => /^\d{1,20}$/.test(digits) && BigInt(digits) < 2n ** 64n)
  .default('0');

const Filter = z
  .object({
    caps: list(word),
    arches: list(word),
    minKernel: z
      .string()
      .regex(/^\d{1,4}\.\d{1,4}$/)
      .nullish(),
  })
  .nullish();

const Argument = z.object({
  index: z.int().min(0).max(5),
  value,
  valueTwo: value,
  op: z.enum(Object.keys(OPERATORS) as (keyof typeof OPERATORS)[]),
});

const Call = z.object({
  names: list(word),
  name: optionalWord,
  action: word,
  errnoRet,
  args: list(Argument),
  includes: Filter,
  excludes: Filter,
});

/** Unknown names say nothing, as in Docker: profiles have comments. */
const Document = z.object({
  defaultAction: optionalWord,
  defaultErrnoRet: errnoRet,
  architectures: list(word),
  archMap: list(z.object({ architecture: word, subArchitectures: list(word) })),
  flags: list(word),
  listenerPath: optionalWord,
  syscalls: list(Call),
});
type Document = z.output<typeof Document>;
type Call = Document['syscalls'][number];

/**
 * The profile for a box with some capabilities; undefined: the text asks for no filter, as `{}`
 * does.
 *
 * @throws A3sError `invalid-argument`
 */
export function readSeccompProfile(
  text: string,
  capabilities: readonly string[],
): SeccompProfile | undefined {
  const document = parse(text);
  const { defaultAction, architectures, archMap, syscalls } = document;
  if (defaultAction === '' && syscalls.length === 0) return undefined;
  if (architectures.length > 0 && archMap.length > 0) {
    throw invalid("both 'architectures' and 'archMap' are specified in the seccomp profile");
  }
  if (document.listenerPath !== '') throw invalid(NOTIFIED);
  const native = archMap.find(({ architecture }) => architecture === 'SCMP_ARCH_X86_64');
  const given = [...architectures, ...(native?.subArchitectures ?? [])].map(architectureOf);
  for (const flag of document.flags) {
    if (!FLAGS.some((known) => known === flag)) {
      throw invalid(`the flag ${flag} cannot be had for a box`);
    }
  }
  return {
    default: actionOf(defaultAction, document.defaultErrnoRet),
    x86: given.includes('x86'),
    x32: given.includes('x32'),
    log: document.flags.includes('SECCOMP_FILTER_FLAG_LOG'),
    specAllow: document.flags.includes('SECCOMP_FILTER_FLAG_SPEC_ALLOW'),
    rules: syscalls.filter((call) => holds(call, capabilities)).flatMap(rulesOf),
  };
}

function parse(text: string): Document {
  if (Buffer.byteLength(text) > MAX_PROFILE) {
    throw invalid(`it has more than ${MAX_PROFILE} bytes`);
  }
  let found: unknown;
  try {
    found = named(JSON.parse(quoteValues(text)));
  } catch (cause) {
    if (cause instanceof A3sError) throw cause;
    throw invalid(cause instanceof Error ? cause.message : String(cause));
  }
  const result = Document.safeParse(found);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  // The document itself has no path.
  throw invalid([...(issue?.path.length ? [issue.path.join('.')] : []), issue?.message].join(': '));
}

/**
 * Makes texts of the numbers that may be larger than those of JavaScript. Inside a text of JSON no
 * quotation mark stands without a backslash, so what matches here is always a member.
 */
function quoteValues(text: string): string {
  return text.replace(/("value(?:Two)?"\s*:\s*)(\d+)(?=\s*[,}])/gi, '$1"$2"');
}

/**
 * The fields of a profile by their names in small letters. Docker reads profiles with Go's decoder,
 * which takes a name in any case: one that was passed over would take a rule, or all of them, away.
 */
const FIELDS = new Map(
  [
    ...['defaultAction', 'defaultErrnoRet', 'architectures', 'archMap', 'flags', 'listenerPath'],
    ...['syscalls', 'architecture', 'subArchitectures', 'names', 'name', 'action', 'errnoRet'],
    ...['args', 'includes', 'excludes', 'caps', 'arches', 'minKernel'],
    ...['index', 'value', 'valueTwo', 'op'],
  ].map((name) => [name.toLowerCase(), name]),
);

/** The document with these names. No object of a profile has keys that are data. */
function named(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(named);
  if (typeof value !== 'object' || value === null) return value;
  const fields = new Map<string, unknown>();
  for (const [key, field] of Object.entries(value)) {
    const name = FIELDS.get(key.toLowerCase()) ?? key;
    if (fields.has(name)) throw invalid(`the field ${name} is there twice`);
    fields.set(name, named(field));
  }
  return Object.fromEntries(fields);
}

/** Whether a rule is for a box with these capabilities. */
function holds({ includes, excludes }: Call, capabilities: readonly string[]): boolean {
  const has = (name: string) => capabilities.includes(name);
  if (excludes?.arches.includes('amd64') || excludes?.caps.some(has)) return false;
  if (excludes?.minKernel && isReached(excludes.minKernel)) return false;
  if (includes && includes.arches.length > 0 && !includes.arches.includes('amd64')) return false;
  if (includes && !includes.caps.every(has)) return false;
  return !includes?.minKernel || isReached(includes.minKernel);
}

function isReached(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [own, ownMinor] = GUEST_KERNEL;
  return own > major || (own === major && ownMinor >= minor);
}

function rulesOf(call: Call): SeccompProfile['rules'] {
  if (call.name !== '' && call.names.length > 0) {
    throw invalid("both 'name' and 'names' are specified in the seccomp profile");
  }
  const names = call.name === '' ? call.names : [call.name];
  const action = actionOf(call.action, call.errnoRet);
  const conditions = call.args.map(({ index, value, valueTwo, op }) => ({
    ...{ index, op: OPERATORS[op], value, valueTwo },
  }));
  const indexes = new Set(conditions.map(({ index }) => index));
  // As in runc: where two conditions are of one argument, one of all is enough.
  if (indexes.size === conditions.length) return [{ names, action, conditions }];
  return conditions.map((condition) => ({ names, action, conditions: [condition] }));
}

const NOTIFIED = `${NOTIFY} is not supported: no program outside of a box decides about its system calls`;

function actionOf(name: string, value: number | null | undefined): SeccompAction {
  if (name === NOTIFY) throw invalid(NOTIFIED);
  const kind = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
  if (kind === undefined) {
    throw invalid(`string ${name.slice(0, 64)} is not a valid action for seccomp`);
  }
  // As in runc, other actions have no number, and one that is given says nothing.
  const numbered = kind === 'errno' || kind === 'trace';
  return { kind, value: numbered ? (value ?? EPERM) : 0 };
}

function architectureOf(name: string): string {
  const known = Object.entries(ARCHITECTURES).find(([each]) => each === name)?.[1];
  if (known !== undefined) return known;
  if (OTHER_ARCHITECTURES.test(name)) return name;
  throw invalid(`string ${name.slice(0, 64)} is not a valid arch for seccomp`);
}

function invalid(reason: string): A3sError {
  return new A3sError('invalid-argument', `Decoding seccomp profile failed: ${reason}`, {
    remedy: 'Correct the profile, or leave the option out.',
  });
}
