/**
 * The instructions of a Dockerfile in the texts of `--change`.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';

const MAX_CHANGES = 256;
const MAX_CHANGE = 64 * 1024;

const COMMENT = /^\s*#/;
/** A backslash at the end of a line joins it with the next one, unless it is escaped itself. */
const JOINED = /(^|[^\\])\\[ \t]*$/;

/**
 * One instruction a text. As in Docker, the texts are lines of one Dockerfile: one may have several
 * instructions, and one instruction may be on several lines.
 *
 * @throws A3sError `invalid-argument` for too many of them, and for texts that have none
 */
export function changeLines(changes: readonly string[]): readonly string[] {
  if (changes.length === 0) return [];
  const instructions: string[] = [];
  let unfinished: string | undefined;
  for (const line of changes.flatMap((change) => change.split(/\r?\n/))) {
    if (COMMENT.test(line) || line.trim() === '') continue;
    const whole = `${unfinished ?? ''}${line}`;
    if (whole.length > MAX_CHANGE) {
      throw new A3sError('invalid-argument', `A change is longer than ${MAX_CHANGE} characters`);
    }
    unfinished = JOINED.test(whole) ? whole.replace(JOINED, '$1') : undefined;
    if (unfinished === undefined) instructions.push(whole.trim());
    if (instructions.length > MAX_CHANGES) {
      throw new A3sError('invalid-argument', `Cannot apply more than ${MAX_CHANGES} changes`);
    }
  }
  if (unfinished !== undefined && unfinished.trim() !== '') instructions.push(unfinished.trim());
  if (instructions.length > 0) return instructions;
  throw new A3sError('invalid-argument', 'Cannot apply the changes: file with no instructions', {
    remedy: 'Write a change as an instruction of a Dockerfile, such as CMD ["sh"].',
  });
}
