/**
 * Lists the objects that the installed QEMU can make.
 *
 * @module
 */
import { execFile } from 'node:child_process';
import { findTool } from '../../../jail/tools.ts';
import { QEMU } from '../boot/vmm.ts';

const DEADLINE_MS = 10_000;

/** @returns their names; none where QEMU does not say */
export async function qemuObjects(): Promise<readonly string[]> {
  const path = await findTool(QEMU);
  const options = { timeout: DEADLINE_MS, maxBuffer: 64 * 1024, env: {}, cwd: '/' };
  const output = await new Promise<string>((resolve) => {
    execFile(path, ['-object', 'help'], options, (_, stdout) => resolve(stdout));
  });
  return output.split('\n').flatMap((line) => /^\s+(\S+)$/.exec(line)?.[1] ?? []);
}
