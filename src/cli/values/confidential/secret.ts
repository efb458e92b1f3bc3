/**
 * A secret that a confidential box waits for:
 * `NAME[:from=KEYFILE][:env[=VARIABLE]][:allow-any-injector]`.
 *
 * @module
 */

export interface SecretFlag {
  readonly name: string;
  /** Files of the public keys whose owners may inject it. */
  readonly keyFiles: readonly string[];
  /** Any client that reaches the box may inject it. */
  readonly allowAnyInjector: boolean;
  /** Variable of the main process; undefined for a file in `/run/secrets`. */
  readonly variable: string | undefined;
}

const NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;
/** A path may hold colons, so only the options after them mark its end. */
const BEFORE_OPTION = /:(?=from=|env(?:=|:|$)|allow-any-injector(?::|$))/;

/** @throws RangeError for anything else, and for a secret without a permitted injector */
export function parseSecret(spec: string): SecretFlag {
  const [name = '', ...options] = spec.split(BEFORE_OPTION);
  if (!NAME.test(name)) {
    throw new RangeError(
      `${JSON.stringify(name)} is no name of a secret, which are lower-case letters, digits, '.', '_' and '-'`,
    );
  }
  const keyFiles = options.filter((option) => option.startsWith('from=')).map(afterEquals);
  const allowAnyInjector = options.includes('allow-any-injector');
  if (keyFiles.includes('')) throw new RangeError('from= names no file');
  if (keyFiles.length === 0 && !allowAnyInjector) {
    throw new RangeError('nobody may inject it: add :from=KEYFILE, or :allow-any-injector');
  }
  if (keyFiles.length > 0 && allowAnyInjector) {
    throw new RangeError('from= names injectors, and allow-any-injector allows everybody');
  }
  return { name, keyFiles, allowAnyInjector, variable: variableOf(name, options) };
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
