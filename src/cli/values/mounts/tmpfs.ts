/**
 * `--tmpfs` and `--storage-opt`, as Docker reads them. The server knows what their options mean.
 *
 * @module
 */

/** `PATH[:OPTIONS]` of each flag, by path; the last of a path counts. */
export function tmpfsByPath(specs: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    specs.map((spec) => {
      const colon = spec.indexOf(':');
      return colon < 0 ? [spec, ''] : [spec.slice(0, colon), spec.slice(colon + 1)];
    }),
  );
}

/** `NAME=VALUE`. @throws RangeError in Docker's words */
export function parseStorageOption(option: string): readonly [name: string, value: string] {
  const equals = option.indexOf('=');
  if (equals < 0) throw new RangeError('invalid storage option');
  return [option.slice(0, equals), option.slice(equals + 1)];
}
