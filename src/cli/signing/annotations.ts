/**
 * `-a key=value` as cosign takes it: several in one flag, separated by commas, with the quotes of
 * CSV.
 *
 * @module
 */
const FIELD = /(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))(?=,|$)/y;

/** @throws RangeError for text that is not a list of pairs */
export function parseAnnotations(text: string): readonly (readonly [string, string])[] {
  return fieldsOf(text).map((field) => {
    const [key = '', value, ...more] = field.split('=');
    // cosign could not ask for it again.
    if (more.length > 0) throw new RangeError('a value has no "="');
    if (key === '' || value === undefined) throw new RangeError('must be KEY=VALUE');
    return [key, value] as const;
  });
}

/** @throws RangeError for a key that is there twice: only one of its values could be signed */
export function annotationsOf(
  lists: readonly (readonly (readonly [string, string])[])[],
): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of lists.flat()) {
    if (found.has(key)) throw new RangeError(`${JSON.stringify(key)} is given twice`);
    found.set(key, value);
  }
  return found;
}

function fieldsOf(text: string): readonly string[] {
  const fields: string[] = [];
  FIELD.lastIndex = 0;
  do {
    const found = FIELD.exec(text);
    if (found === null) throw new RangeError('its quotes are not those of CSV');
    fields.push(found[1]?.replaceAll('""', '"') ?? found[2] ?? '');
    FIELD.lastIndex = found.index + found[0].length;
  } while (FIELD.lastIndex < text.length);
  return fields;
}
