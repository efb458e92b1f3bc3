/**
 * The local terminal in raw mode: keys go to the box as they are typed, and output is shown as the
 * box wrote it.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import type { TerminalInput } from '../context.ts';

/** @returns the function that restores the terminal */
export function rawMode(input: TerminalInput): () => void {
  if (input.isTTY !== true || input.setRawMode === undefined) return () => undefined;
  input.setRawMode(true);
  // Node's raw mode still turns each newline into two characters, which breaks full-screen programs
  // of the box. Without stty, lines merely have one carriage return too many. Node restores this
  // setting with the rest.
  spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] });
  const restore = (): void => {
    process.off('exit', restore);
    input.setRawMode?.(false);
  };
  // The user's shell gets its terminal back, however this process ends.
  process.on('exit', restore);
  return restore;
}
