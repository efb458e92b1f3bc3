/**
 * A loaded libkrun: which of its functions are there, and how they are called.
 *
 * A process loads one library, and makes one microVM with it: libkrun takes the process over. So
 * this is for the shim, and for a process that only asks.
 *
 * @module
 */
import koffi from 'koffi';
import { FEATURES, type FeatureName } from './api/constants.ts';
import type { ApiFunction, Builds, ErrnoName } from './api/describe.ts';
import { FUNCTIONS, type FunctionName } from './api/functions.ts';
import { reserveCallStack } from './call-stack.ts';
import type { CallArguments, CallResult } from './call-types.ts';
import { marshal, prototype } from './declare.ts';
import { codeOf, errnoName, KrunError } from './errors.ts';
import { LIBRARY_VARIABLE, libraryNames, type Variant } from './find-library.ts';

/** Why a build has not a function, by the builds that have it. */
const MISSING: Readonly<Record<Builds, string>> = {
  blk: 'libkrun was compiled without BLK=1',
  net: 'libkrun was compiled without NET=1',
  'vhost-user': 'libkrun was compiled without VHOST_USER=1',
  tee: 'only libkrun-sev and libkrun-tdx have it',
  plain: 'libkrun-sev and libkrun-tdx do not have it',
  'plain-blk': 'libkrun was compiled without BLK=1, or for confidential guests',
};

/** koffi's type has no room for what is declared from a table. */
type Native = ((...values: readonly unknown[]) => number) & {
  readonly async: (...values: readonly unknown[]) => void;
};

/** What this library can do. */
export interface LibraryReport {
  readonly path: string;
  /** The newest release whose functions are all there, as far as the build has them. */
  readonly atLeast: string;
  /** Functions of the table that the library lacks, and why. */
  readonly missing: readonly { readonly name: FunctionName; readonly reason: string }[];
  /** What the build has; undefined where the library is too old to say. */
  readonly features: Readonly<Record<FeatureName, boolean>> | undefined;
  /** Undefined where the library cannot say, for want of a hypervisor or of the function. */
  readonly maxVcpus: number | undefined;
}

export class KrunLibrary {
  readonly path: string;
  readonly #functions: ReadonlyMap<string, Native>;
  #logging = false;

  private constructor(path: string, functions: ReadonlyMap<string, Native>) {
    this.path = path;
    this.#functions = functions;
  }

  /**
   * @param named the value of `A3S_KRUN_LIBRARY`
   * @throws KrunError `krun-library-missing`
   */
  static load(
    variant: Variant = 'krun',
    named: string | undefined = process.env[LIBRARY_VARIABLE],
  ): KrunLibrary {
    const reasons: string[] = [];
    for (const name of libraryNames(variant, named)) {
      try {
        return KrunLibrary.#open(name);
      } catch (error) {
        reasons.push(error instanceof Error ? error.message : String(error));
      }
    }
    throw new KrunError('krun-library-missing', `Cannot load libkrun: ${reasons.join('; ')}`, {
      remedy: `Install libkrun 1.16 or newer, or set ${LIBRARY_VARIABLE} to its path.`,
    });
  }

  static #open(name: string): KrunLibrary {
    reserveCallStack();
    const library = koffi.load(name);
    const functions = new Map<string, Native>();
    for (const [name, row] of Object.entries<ApiFunction>(FUNCTIONS)) {
      try {
        functions.set(name, library.func(prototype(name, row)) as Native);
      } catch {
        // The library has no such symbol. A call of it says so.
      }
    }
    if (refusesVhostUser(functions.get(VHOST_USER_FUNCTION))) functions.delete(VHOST_USER_FUNCTION);
    if (functions.size > 0) return new KrunLibrary(name, functions);
    throw new Error(`${name} has no function of libkrun`);
  }

  has(name: FunctionName): boolean {
    return this.#functions.has(name);
  }

  /**
   * Calls a function. Lengths are not given: they are those of the bytes.
   *
   * @throws KrunError `krun-function-missing`, `krun-argument`, or with the code of the error that
   * libkrun returned
   */
  call<N extends FunctionName>(name: N, ...given: CallArguments<N>): CallResult<N> {
    const row: ApiFunction = FUNCTIONS[name];
    const native = this.#native(name);
    const values = marshal(name, row, given);
    if (name === 'krun_init_log' || name === 'krun_set_log_level') this.#logOnce();
    return resultOf(name, native(...values.map((value, n) => keep(row, n, value))));
  }

  /**
   * Starts the microVM of a context, on another thread: this one goes on with its events. Never
   * resolves once the microVM runs, because libkrun ends the process when it has ended.
   *
   * @throws KrunError with the code of the error that libkrun returned
   */
  async startEnter(context: number): Promise<never> {
    const native = this.#native('krun_start_enter');
    const result = await new Promise<number>((resolve, reject) => {
      native.async(context, (error: unknown, result: number) => {
        if (error === null || error === undefined) resolve(result);
        else reject(error);
      });
    });
    resultOf('krun_start_enter', result);
    throw new KrunError('krun-failed', 'Cannot start the microVM: libkrun returned at once', {
      function: 'krun_start_enter',
    });
  }

  report(): LibraryReport {
    const rows = Object.entries<ApiFunction>(FUNCTIONS);
    const missing = rows
      .filter(([name]) => !this.#functions.has(name))
      .map(([name, row]) => ({ name: name as FunctionName, reason: missingReason(row) }));
    // A function that only some builds have says nothing of the release.
    const absent = rows.filter(([name, row]) => {
      return row.builds === undefined && !this.#functions.has(name);
    });
    const named = rows.map(([, { since }]) => since).filter((since) => since !== 'unreleased');
    const releases = [...new Set(named)].toSorted(compareReleases);
    const older = releases.filter((release) =>
      absent.every(([, row]) => compareReleases(release, row.since) < 0),
    );
    return {
      path: this.path,
      atLeast: older.at(-1) ?? 'none',
      missing,
      features: this.#features(),
      maxVcpus: this.#maxVcpus(),
    };
  }

  #features(): LibraryReport['features'] {
    if (!this.has('krun_has_feature')) return undefined;
    const has = (feature: number): boolean => {
      try {
        return this.call('krun_has_feature', BigInt(feature));
      } catch (error) {
        // A feature that the library is too old to know.
        if (error instanceof KrunError && error.code === 'krun-refused') return false;
        throw error;
      }
    };
    const entries = Object.entries(FEATURES).map(([name, value]) => [name, has(value)]);
    return Object.fromEntries(entries) as Record<FeatureName, boolean>;
  }

  #maxVcpus(): number | undefined {
    if (!this.has('krun_get_max_vcpus')) return undefined;
    try {
      return this.call('krun_get_max_vcpus');
    } catch (error) {
      if (error instanceof KrunError && error.code === 'krun-refused') return undefined;
      throw error;
    }
  }

  #native(name: FunctionName): Native {
    const native = this.#functions.get(name);
    if (native !== undefined) return native;
    const row: ApiFunction = FUNCTIONS[name];
    throw new KrunError(
      'krun-function-missing',
      `Cannot ${row.does}: ${this.path} has no ${name}: ${missingReason(row)}`,
      { function: name },
    );
  }

  /** libkrun ends the process at the second call. */
  #logOnce(): void {
    if (this.#logging) throw new KrunError('krun-misuse', 'Cannot open the log: it is open');
    this.#logging = true;
  }
}

const VHOST_USER_FUNCTION = 'krun_add_vhost_user_device' satisfies FunctionName;

/** Every build exports it. One that has it not refuses before it looks at the values. */
function refusesVhostUser(native: Native | undefined): boolean {
  const NO_CONTEXT = 0xffff_ffff;
  return native !== undefined && errnoName(native(NO_CONTEXT, 0, '', null, 0, null)) === 'ENOTSUP';
}

function resultOf<N extends FunctionName>(name: N, result: number): CallResult<N> {
  const row: ApiFunction = FUNCTIONS[name];
  if (result < 0) {
    const errno = errnoName(result);
    const reason = row.errors[errno as ErrnoName] ?? errno;
    throw new KrunError(codeOf(errno), `Cannot ${row.does}: ${reason} (${name}: ${errno})`, {
      function: name,
      errno,
    });
  }
  if (row.result === 'nothing') return undefined as CallResult<N>;
  return (row.result === 'boolean' ? result === 1 : result) as CallResult<N>;
}

/** Bytes that libkrun goes on reading are copied to memory that nothing frees. */
function keep(row: ApiFunction, index: number, value: unknown): unknown {
  const argument = row.arguments[index];
  if (argument?.after !== 'kept' || !(value instanceof Uint8Array)) return value;
  const memory = koffi.alloc('uint8_t', Math.max(1, value.byteLength));
  new Uint8Array(koffi.view(memory, value.byteLength)).set(value);
  return memory;
}

function missingReason({ builds, since }: ApiFunction): string {
  const old =
    since === 'unreleased' ? 'no release of libkrun has it yet' : `libkrun is older than ${since}`;
  return builds === undefined ? old : `${old}, or ${MISSING[builds]}`;
}

function compareReleases(a: string, b: string): number {
  const [left, right] = [a, b].map((each) => each.split('.').map(Number));
  for (let n = 0; n < 3; n++) {
    const difference = (left?.[n] ?? 0) - (right?.[n] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
