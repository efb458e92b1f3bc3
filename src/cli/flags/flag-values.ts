/**
 * The flags of one command line, read by kind.
 *
 * @module
 */
import { UsageError } from '../usage-error.ts';
import { type Flag, flagLabel } from './flag.ts';
import { type Given, seeHelp } from './pflag.ts';

export class FlagValues {
  readonly #path: string;
  readonly #table: readonly Flag[];
  readonly #values = new Map<string, string[]>();

  constructor(path: string, table: readonly Flag[], given: readonly Given[]) {
    this.#path = path;
    this.#table = table;
    for (const { name, value } of given) {
      const before = this.#values.get(name);
      if (before === undefined) this.#values.set(name, [value]);
      else before.push(value);
    }
  }

  /** Whether the flag stood in the command line. */
  given(name: string): boolean {
    this.#flag(name);
    return (this.#values.get(name) ?? []).length > 0;
  }

  bool(name: string): boolean {
    const flag = this.#flag(name, 'bool');
    const value = this.#values.get(name)?.at(-1);
    return value === undefined ? flag.on === true : value === 'true';
  }

  string(name: string): string | undefined {
    this.#flag(name, 'string');
    return this.#values.get(name)?.at(-1);
  }

  list(name: string): readonly string[] {
    this.#flag(name, 'list');
    return this.#values.get(name) ?? [];
  }

  int(name: string): number | undefined {
    this.#flag(name, 'int');
    const value = this.#values.get(name)?.at(-1);
    if (value === undefined) return undefined;
    if (!/^[+-]?\d{1,15}$/.test(value)) {
      throw this.invalid(name, value, 'must be a whole number');
    }
    return Number(value);
  }

  /**
   * Reads a string flag through `parse`. An error of `parse` becomes one line that names the flag.
   */
  parsed<T>(name: string, parse: (value: string) => T): T | undefined {
    const value = this.string(name);
    return value === undefined ? undefined : this.#narrow(name, value, parse);
  }

  /** The same for a required flag. */
  needed<T>(name: string, parse: (value: string) => T): T {
    const value = this.string(name);
    if (value === undefined || value === '') throw this.missing(name);
    return this.#narrow(name, value, parse);
  }

  /** Reads each value of a list flag through `parse`. */
  parsedList<T>(name: string, parse: (value: string) => T): readonly T[] {
    return this.list(name).map((value) => this.#narrow(name, value, parse));
  }

  /** The error for a value that this flag does not accept. */
  invalid(name: string, value: string, reason: string): UsageError {
    const label = flagLabel(this.#flag(name));
    const quoted = JSON.stringify(value);
    return new UsageError(`invalid argument ${quoted} for "${label}" flag: ${reason}`, {
      remedy: seeHelp(this.#path),
    });
  }

  /** The error for a required flag that is missing. */
  missing(name: string): UsageError {
    const label = flagLabel(this.#flag(name));
    return new UsageError(`flag ${label} is missing`, { remedy: seeHelp(this.#path) });
  }

  #narrow<T>(name: string, value: string, parse: (value: string) => T): T {
    try {
      return parse(value);
    } catch (error) {
      if (error instanceof UsageError) throw error;
      if (error instanceof RangeError) throw this.invalid(name, value, error.message);
      throw error;
    }
  }

  #flag(name: string, kind?: Flag['kind']): Flag {
    const flag = this.#table.find((candidate) => candidate.name === name);
    if (flag === undefined || (kind !== undefined && flag.kind !== kind)) {
      throw new TypeError(`${this.#path} declares no ${kind ?? ''} flag ${name}`);
    }
    return flag;
  }
}
