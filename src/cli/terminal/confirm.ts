/**
 * Docker's question before something is removed.
 *
 * @module
 */
import type { Context } from '../context.ts';
import { Prompt } from './prompt.ts';

/** Whether the user answers yes. The end of input means no. */
export async function isConfirmed(context: Context, warning: string): Promise<boolean> {
  const question = `${warning}\nAre you sure you want to continue? [y/N] `;
  const answer = await new Prompt(context).ask(question);
  return answer?.trim().toLowerCase() === 'y';
}
