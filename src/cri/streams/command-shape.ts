/**
 * The streams that a request of CRI asks for.
 *
 * @module
 */
import type * as cri from '../api/messages.ts';
import { invalid } from '../refusal.ts';
import type { CommandShape } from '../streaming/command.ts';

/** As the interface has it. @throws A3sError `invalid-argument` */
export function shapeOf({
  tty,
  stdin,
  stdout,
  stderr,
}: Pick<cri.ExecRequest, 'tty' | 'stdin' | 'stdout' | 'stderr'>): CommandShape {
  if (tty && stderr) throw invalid('stderr', 'a terminal has one output');
  if (!stdin && !stdout && !stderr)
    throw invalid('stdin', 'one of the streams has to be asked for');
  return { stdin, stdout, stderr, terminal: tty };
}
