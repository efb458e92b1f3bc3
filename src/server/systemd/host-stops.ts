/**
 * Whether the service manager ends because everything does: the host goes down, or a user's last session is over.
 *
 * @module
 */
import { execFile } from 'node:child_process';

/** It answers at once; without an answer nothing is said to end. */
export const ANSWER_MS = 5000;

/** @param uid whose service manager is asked: root's is the host's */
export function managerStops(uid: number): Promise<boolean> {
  const args = [...(uid === 0 ? [] : ['--user']), 'is-system-running'];
  return new Promise((resolve) => {
    // Its exit status is not 0 for most of what it says.
    execFile('systemctl', args, { timeout: ANSWER_MS }, (_, said) => {
      resolve(said.trim() === 'stopping');
    });
  });
}
