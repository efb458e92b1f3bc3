/**
 * What boxes write: lines that tell their place and their box, so that a missing or a doubled byte
 * is seen.
 *
 * @module
 */

const LINES = 400;

/** A command of a shell's that writes `outputOf(number)` and exits with 7. */
export function printLines(number: number): string {
  return `i=0; while [ $i -lt ${LINES} ]; do echo line $i of ${number}; i=$((i + 1)); done; exit 7`;
}

export function outputOf(number: number): string {
  return Array.from({ length: LINES }, (_, line) => `line ${line} of ${number}\n`).join('');
}

/** A command of a shell's that never ends. Some of what it writes is always on its way. */
export const WRITER =
  'i=0; while :; do echo line $i; i=$((i + 1)); [ $((i % 20)) = 0 ] && usleep 100000; done';

/** At least the first bytes of what it writes. */
export function endlessOutput(bytes: number): string {
  let text = '';
  for (let line = 0; text.length < bytes; line += 1) text += `line ${line}\n`;
  return text;
}
