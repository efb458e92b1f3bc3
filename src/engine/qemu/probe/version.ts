/**
 * The version of the installed QEMU.
 *
 * @module
 */
import { execFile } from 'node:child_process';
import { A3sError } from '../../../errors.ts';
import { findTool } from '../../../jail/tools.ts';
import { QEMU } from '../boot/vmm.ts';

const DEADLINE_MS = 10_000;

/**
 * @returns such as `10.0.13 (Debian 1:10.0.13+ds-0+deb13u1)`
 * @throws A3sError `tool-missing`, `vmm-failed`
 */
export async function qemuVersion(): Promise<string> {
  const path = await findTool(QEMU);
  const output = await new Promise<string>((resolve, reject) => {
    const options = { timeout: DEADLINE_MS, maxBuffer: 64 * 1024, env: {}, cwd: '/' };
    execFile(path, ['--version'], options, (error, stdout) => {
      if (error === null) resolve(stdout);
      else reject(new A3sError('vmm-failed', `Cannot run ${path}: ${error.message}`));
    });
  });
  return /^QEMU emulator version (.+)$/m.exec(output)?.[1] ?? 'unknown';
}
