/**
 * A root filesystem of Debian for the Dockerfiles of `test/dockerfiles`: a C compiler, make, Python
 * and Node.js, and `build-tools.sh` in place of the toolchains that are too large.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { debianRoot } from './debian-root.ts';

export const TOOLS = 'build.example/tools:1';

const PACKAGES = ['busybox-static', 'tcc', 'libc6-dev', 'make', 'python3-minimal', 'nodejs'];
const SCRIPT = join(import.meta.dirname, 'build-tools.sh');
const PLAYED = ['go', 'cargo', 'mvn', 'gradle', 'pip', 'npm'];

export function toolsRoot(): Promise<string> {
  const bin = '$1/usr/local/bin';
  return debianRoot({
    name: 'tools',
    packages: [...PACKAGES, 'ca-certificates'],
    hooks: [
      `install -m 755 ${SCRIPT} "${bin}/build-tools"`,
      `for name in ${PLAYED.join(' ')}; do ln -s build-tools "${bin}/$name"; done`,
      `ln -s /usr/bin/tcc "${bin}/cc"`,
    ],
    inputs: [readFileSync(SCRIPT, 'utf8')],
  });
}
