/**
 * Makes a peer's text safe for people to read: it may try to deceive on a terminal.
 *
 * @module
 */
const MOST = 1024;

/** `text` on one line, without control and text-direction characters, of at most 1024 characters. */
export function peerText(text: string): string {
  const line = text
    .slice(0, 4 * MOST)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu, ' ')
    .trim();
  return line.length > MOST ? `${line.slice(0, MOST)}…` : line;
}
