/**
 * Our terminal as a wire: keys go to the box as they are typed, output comes as the box wrote it.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import type { TerminalInput } from '../context.ts';

/** @returns what restores the terminal */
export function rawMode(input: TerminalInput): () => void {
  if (input.isTTY !== true || input.setRawMode === undefined) return () => undefined;
  input.setRawMode(true);
  // Node's raw mode still turns each newline into two characters, which breaks full-screen programs of the box. Where
  // there is no stty, lines merely carry one return too many. Node restores this with the rest.
  spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] });
  const restore = (): void => {
    process.off('exit', restore);
    input.setRawMode?.(false);
  };
  // Whatever ends this process, the user's shell gets its terminal back.
  process.on('exit', restore);
  return restore;
}
