/**
 * Whether the service manager itself is stopping: the host shuts down, or a user's last session has
 * ended.
 *
 * @module
 */
import { execFile } from 'node:child_process';

/** The manager answers at once. Without an answer nothing is considered to be stopping. */
export const ANSWER_MS = 5000;

/**
 * Both managers are asked, the host's and this user's: the host's unit may run as any user
 * (`User=`).
 *
 * @param env the environment in which `systemctl` is found
 */
export async function managerStops(env: NodeJS.ProcessEnv): Promise<boolean> {
  const states = await Promise.all([stateOf([], env), stateOf(['--user'], env)]);
  return states.includes('stopping');
}

function stateOf(manager: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((resolve) => {
    // Its exit status is not 0 for most states that it prints.
    const options = { timeout: ANSWER_MS, env };
    execFile('systemctl', [...manager, 'is-system-running'], options, (_, said) => {
      resolve(said.trim());
    });
  });
}
