/**
 * Whether the service manager ends because everything does: the host goes down, or a user's last session is over.
 *
 * @module
 */
import { execFile } from 'node:child_process';

/** It answers at once; without an answer nothing is said to end. */
export const ANSWER_MS = 5000;

/**
 * Both managers are asked, the host's and this user's: the unit of the host's may run as any user (`User=`).
 *
 * @param env where `systemctl` is found
 */
export async function managerStops(env: NodeJS.ProcessEnv): Promise<boolean> {
  const states = await Promise.all([stateOf([], env), stateOf(['--user'], env)]);
  return states.includes('stopping');
}

function stateOf(manager: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((resolve) => {
    // Its exit status is not 0 for most of what it says.
    const options = { timeout: ANSWER_MS, env };
    execFile('systemctl', [...manager, 'is-system-running'], options, (_, said) => {
      resolve(said.trim());
    });
  });
}
