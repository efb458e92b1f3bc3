/**
 * Why a guest's kernel panicked, or its agent failed, by the last lines of its console.
 *
 * @module
 */
import { printable } from './helpers/helper.ts';

/** The kernel's reason for a panic; empty where the console shows none. */
export function panicReason(console: Buffer): string {
  const found = /Kernel panic - not syncing: ?([^\r\n]*)/.exec(console.toString('latin1'));
  return found === null ? '' : printable(found[0]);
}

/** What the agent says when it ends the guest; empty where the console shows nothing. */
export function agentFailure(console: Buffer): string {
  const found = /a3s-agent failed: [^\r\n]*/.exec(console.toString('latin1'));
  return found === null ? '' : printable(found[0]);
}
