/**
 * The nice value of a session. Each jail is one session. Where the kernel makes a group of each
 * session (`kernel.sched_autogroup_enabled`), nice values count within the group alone, so the
 * group gets the value too.
 *
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { retry } from '../../async/retry.ts';
import { codeOf, isGone } from '../../processes/gone.ts';
import { deadline } from '../deadline.ts';

/** Far more than all starts of a full host take, at ten a second. */
const SLOT_MS = 30_000;

export interface SessionFile {
  read(path: string): string;
  write(path: string, text: string): void;
}

const FILE: SessionFile = {
  read: (path) => readFileSync(path, 'utf8'),
  write: (path, text) => writeFileSync(path, text),
};

/**
 * Written only where the value differs: the kernel accepts ten writes a second from all users but
 * root together.
 *
 * @throws A3sError `vmm-failed` where other writers used up every attempt, what the kernel answers
 * otherwise
 */
export async function setSessionNice(
  pid: number,
  nice: number,
  file: SessionFile = FILE,
  milliseconds: number = SLOT_MS,
): Promise<void> {
  if (isSet(pid, nice, file)) return;
  const attempt = async (): Promise<true | undefined> => {
    try {
      // Another process of the same session may have set it already.
      if (!isSet(pid, nice, file)) file.write(pathOf(pid), String(nice));
      return true;
    } catch (error) {
      if (isGone(error)) return true;
      if (codeOf(error) === 'EAGAIN') return undefined;
      throw error;
    }
  };
  const what = `Cannot hold the microVM to its CPU shares: the kernel lets the users of this host set the nice values of ten sessions a second, and it was not the turn of process ${pid}`;
  await retry(attempt, deadline(milliseconds, 'vmm-failed', what));
}

/**
 * Whether nothing has to be written: the group has this value, the kernel has no such groups, or
 * the process is in none.
 */
function isSet(pid: number, nice: number, file: SessionFile): boolean {
  try {
    const found = / nice (-?\d+)$/m.exec(file.read(pathOf(pid)))?.[1];
    return found === undefined || Number(found) === nice;
  } catch (error) {
    if (isGone(error)) return true;
    throw error;
  }
}

function pathOf(pid: number): string {
  return `/proc/${pid}/autogroup`;
}
