/**
 * What the installed QEMU says of itself: its version, and the objects that it can make.
 *
 * @module
 */
import { execFile } from 'node:child_process';
import { A3sError } from '../../../errors.ts';
import { findTool } from '../../../jail/tools.ts';
import { QEMU } from '../boot/vmm.ts';

const OPTIONS = { timeout: 10_000, maxBuffer: 64 * 1024, env: {}, cwd: '/' };

/**
 * @returns such as `10.0.13 (Debian 1:10.0.13+ds-0+deb13u1)`
 * @throws A3sError `tool-missing`, `vmm-failed`
 */
export async function qemuVersion(): Promise<string> {
  const path = await findTool(QEMU);
  const output = await new Promise<string>((resolve, reject) => {
    execFile(path, ['--version'], OPTIONS, (error, stdout) => {
      if (error === null) resolve(stdout);
      else reject(new A3sError('vmm-failed', `Cannot run ${path}: ${error.message}`));
    });
  });
  return /^QEMU emulator version (.+)$/m.exec(output)?.[1] ?? 'unknown';
}

/** @returns the names of the objects; none where QEMU does not say */
export async function qemuObjects(): Promise<readonly string[]> {
  const path = await findTool(QEMU);
  const output = await new Promise<string>((resolve) => {
    execFile(path, ['-object', 'help'], OPTIONS, (_, stdout) => resolve(stdout));
  });
  return output.split('\n').flatMap((line) => /^\s+(\S+)$/.exec(line)?.[1] ?? []);
}
