/**
 * Attaches devices to a running VM, or changes them.
 *
 * @module
 */
import * as z from 'zod';
import type { Command } from '../command-line/devices.ts';
import type { QmpClient } from './qmp.ts';

/**
 * Sends all commands in order, and waits for an answer in between only where a descriptor is sent,
 * which takes its time on the way out. Throws the first refusal.
 */
export async function executeAll(
  monitor: Pick<QmpClient, 'execute'>,
  commands: readonly Command[],
): Promise<void> {
  const answers: Promise<unknown>[] = [];
  for (const [name, args, descriptor] of commands) {
    const answer = monitor.execute(name, args, z.unknown(), descriptor);
    answer.catch(() => undefined);
    answers.push(answer);
    if (descriptor !== undefined) await answer.catch(() => undefined);
  }
  await Promise.all(answers);
}
