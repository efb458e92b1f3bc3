/**
 * `--platform`: `linux/amd64`, `arm64`, `linux/arm/v7`.
 *
 * @module
 */

const PLATFORM = /^[A-Za-z0-9_-]+(?:\/[A-Za-z0-9_-]+){0,2}$/;

/** Checks the form alone: the server knows the valid platforms. @throws RangeError */
export function parsePlatform(text: string): string {
  if (PLATFORM.test(text) && text.length <= 64) return text;
  throw new RangeError('write it as OS/ARCHITECTURE[/VARIANT], such as linux/amd64');
}
