/**
 * Reads what a builder answers, with bounds: a builder runs other people's programs.
 *
 * @module
 */

/** What is shown of an error. */
const MAX_WORDS = 1000;
const MAX_ERROR = 64 * 1024;

/** The body from its beginning, and whether that is all of it. What exceeds `max` is not read. */
export async function firstBytes(
  body: AsyncIterable<Uint8Array>,
  max: number,
): Promise<{ readonly bytes: Buffer; readonly isWhole: boolean }> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > max) break;
  }
  return { bytes: Buffer.concat(chunks).subarray(0, max), isWhole: size <= max };
}

/** The beginning of an error's text. */
export async function errorWords(
  body: AsyncIterable<Uint8Array>,
  max: number = MAX_WORDS,
): Promise<string> {
  const { bytes } = await firstBytes(body, MAX_ERROR);
  return bytes.toString('utf8', 0, max);
}
