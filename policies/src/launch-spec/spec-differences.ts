/**
 * Finds the fields in which two documents differ, and so the reason why their HOST_DATA differ.
 *
 * @module
 */

export interface SpecDifference {
  /** Such as `process.env[2]`; empty for the whole document. */
  readonly path: string;
  /** As JSON; undefined where the first document lacks it. */
  readonly expected: string | undefined;
  /** The same of the second. */
  readonly actual: string | undefined;
}

type Mapping = Readonly<Record<string, unknown>>;

/** Every field that only one document has, or that differs; none for equal documents. */
export function differingFields(expected: unknown, actual: unknown): readonly SpecDifference[] {
  return [...differences('', expected, actual)];
}

function* differences(path: string, expected: unknown, actual: unknown): Iterable<SpecDifference> {
  if (isMapping(expected) && isMapping(actual)) {
    const keys = new Set([...Object.keys(expected), ...Object.keys(actual)]);
    for (const key of [...keys].sort()) {
      const below = path === '' ? key : `${path}.${key}`;
      yield* differences(below, own(expected, key), own(actual, key));
    }
  } else if (Array.isArray(expected) && Array.isArray(actual)) {
    const length = Math.max(expected.length, actual.length);
    for (let index = 0; index < length; index++) {
      yield* differences(`${path}[${index}]`, expected[index], actual[index]);
    }
  } else {
    const [first, second] = [json(expected), json(actual)];
    if (first !== second) yield { path, expected: first, actual: second };
  }
}

function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function own(mapping: Mapping, key: string): unknown {
  return Object.hasOwn(mapping, key) ? mapping[key] : undefined;
}

function json(value: unknown): string | undefined {
  return value === undefined ? undefined : JSON.stringify(value);
}
