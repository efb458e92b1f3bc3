/**
 * A secret that a confidential box waits for:
 * `NAME[:from=KEY][:env[=VARIABLE]][:allow-any-injector]`, or
 * `NAME:from=broker/PATH[,refresh[=DURATION]][:env…]`.
 *
 * @module
 */
import { type FetchedFrom, parseResource } from './broker.ts';

export interface SecretOption {
  readonly name: string;
  /**
   * The public keys whose owners may inject it: a file each in a flag; in an annotation also the
   * key itself.
   */
  readonly keys: readonly string[];
  /** Any client that reaches the box may inject it. */
  readonly allowAnyInjector: boolean;
  /** Its path at the broker, from where the box fetches it; undefined: it is injected. */
  readonly resource: string | undefined;
  /** After how many seconds it is fetched again; undefined: never. */
  readonly refresh: number | undefined;
  /** Variable of the main process; undefined for a file in `/run/secrets`. */
  readonly variable: string | undefined;
}

/** As a launch spec has at most. */
const MAX_KEYS = 64;
const NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;
/** A path may hold colons, so only the options after them mark its end. */
const BEFORE_OPTION = /:(?=from=|env(?:=|:|$)|allow-any-injector(?::|$))/;

/** @throws RangeError for anything else, and for a secret without a permitted injector */
export function parseSecret(spec: string): SecretOption {
  const [name = '', ...options] = spec.split(BEFORE_OPTION);
  return secretOf(name, options);
}

/** The same of a secret whose name stands elsewhere: `text` has the options alone. */
export function parseSecretOptions(name: string, text: string): SecretOption {
  const [before, ...options] = `:${text}`.split(BEFORE_OPTION);
  if (before === '') return secretOf(name, options);
  throw new RangeError(
    'it takes from=KEY, env[=VARIABLE] and allow-any-injector, with colons between',
  );
}

function secretOf(name: string, options: readonly string[]): SecretOption {
  if (!NAME.test(name)) {
    throw new RangeError(
      `${JSON.stringify(name)} is no name of a secret, which are lower-case letters, digits, '.', '_' and '-'`,
    );
  }
  const from = options.filter((option) => option.startsWith('from=')).map(afterEquals);
  const fetching = from.map(parseResource).find((each) => each !== undefined);
  if (fetching !== undefined) return fetched(name, fetching, from, options);
  const keys = from;
  const allowAnyInjector = options.includes('allow-any-injector');
  if (keys.length > MAX_KEYS) throw new RangeError(`it takes at most ${MAX_KEYS} keys`);
  if (keys.includes('')) throw new RangeError('from= names no key');
  if (keys.length === 0 && !allowAnyInjector) {
    throw new RangeError('nobody may inject it: add :from=KEY, or :allow-any-injector');
  }
  if (keys.length > 0 && allowAnyInjector) {
    throw new RangeError('from= names injectors, and allow-any-injector allows everybody');
  }
  const variable = variableOf(name, options);
  return { name, keys, allowAnyInjector, resource: undefined, refresh: undefined, variable };
}

/** Nobody injects what is fetched. */
function fetched(
  name: string,
  { resource, refresh }: FetchedFrom,
  from: readonly string[],
  options: readonly string[],
): SecretOption {
  if (from.length > 1 || options.includes('allow-any-injector')) {
    throw new RangeError('from=broker/ fetches it, so nobody may inject it');
  }
  const variable = variableOf(name, options);
  if (refresh !== undefined && variable !== undefined) {
    throw new RangeError('refresh is for a file: the variables of a process do not change');
  }
  return { name, keys: [], allowAnyInjector: false, resource, refresh, variable };
}

function variableOf(name: string, options: readonly string[]): string | undefined {
  const given = options.filter((option) => option === 'env' || option.startsWith('env='));
  if (given.length > 1) throw new RangeError('env is given twice');
  const [option] = given;
  if (option === undefined) return undefined;
  const variable =
    option === 'env' ? name.toUpperCase().replaceAll(/[.-]/g, '_') : afterEquals(option);
  if (!VARIABLE.test(variable)) {
    throw new RangeError(`${JSON.stringify(variable)} is no name of a variable: say env=VARIABLE`);
  }
  return variable;
}

function afterEquals(option: string): string {
  return option.slice(option.indexOf('=') + 1);
}
