/**
 * Builds the guest agent, so that equal sources and an equal compiler give equal bytes anywhere.
 *
 * @module
 */
import { mkdir, readFile } from 'node:fs/promises';
import { runTool } from './tool.ts';

const REMEDY = 'Install the Debian package golang-go (1.24).';

/** Such as `go1.24.4`. */
export async function goVersion(): Promise<string> {
  const output = await runTool('go', ['version'], {
    env: { GOTOOLCHAIN: 'local' },
    remedy: REMEDY,
  });
  return output.toString('utf8').split(' ')[2] ?? '';
}

/**
 * Compiles the program in `package` of the module `source`, static, to `output`.
 *
 * @param cache a directory for the compiler, used where the environment names none
 */
export async function buildAgent(
  source: string,
  output: string,
  options: { package: string; version: string; cache: string },
): Promise<Buffer> {
  // Go interrupts what runs for longer than 10 ms by a signal. In the copy of a guest all code is slow at first, since it is translated
  // then, and the signal's own way through kernel and runtime would be some hundred blocks more of it. Stacks that have grown stay so:
  // the copy would have to let them grow again.
  const quiet = '-X runtime.godebugDefault=asyncpreemptoff=1,gcshrinkstackoff=1';
  const flags = `-s -w -buildid= -X main.version=${options.version} ${quiet}`;
  const goCache = process.env['GOCACHE'] ?? options.cache;
  await mkdir(goCache, { recursive: true });
  await runTool('go', ['build', '-trimpath', `-ldflags=${flags}`, '-o', output, options.package], {
    cwd: source,
    env: {
      CGO_ENABLED: '0',
      GOOS: 'linux',
      GOARCH: 'amd64',
      GOAMD64: 'v1',
      GOPROXY: 'off',
      GOTOOLCHAIN: 'local',
      GOENV: 'off',
      GOWORK: 'off',
      GOEXPERIMENT: '',
      GOFLAGS: '-buildvcs=false',
      GOCACHE: goCache,
    },
    remedy: REMEDY,
  });
  return await readFile(output);
}
