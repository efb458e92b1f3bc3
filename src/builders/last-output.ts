/**
 * The last lines that a builder's daemon wrote, for the message about its end.
 *
 * @module
 */
import { readLogs } from '../boxes/logs/logs.ts';
import type { Runtime } from '../boxes/runtime.ts';
import { guestText } from '../guest/refusal.ts';

const LINES = 3;
const MAX_BYTES = 4096;

/** `: ` and the lines, as one; empty where there are none. Never rejects. */
export async function lastOutput(
  rt: Pick<Runtime, 'outputs' | 'log'>,
  id: string,
): Promise<string> {
  const options = {
    ...{ stdout: true, stderr: true, following: undefined, tail: LINES },
    ...{ since: undefined, until: undefined, timestamps: false, details: undefined },
  };
  let text = '';
  try {
    const { signal } = new AbortController();
    for await (const { bytes } of readLogs(rt.outputs.of(id), options, signal)) {
      text = (text + bytes.toString('utf8')).slice(-MAX_BYTES);
    }
  } catch (error) {
    rt.log.error('the output of a builder could not be read', error, { box: id });
  }
  const line = guestText(text);
  return line === '' ? '' : `; its last output: ${line}`;
}
