/**
 * Builds the guest agent, so that equal sources and an equal compiler give equal bytes anywhere.
 *
 * @module
 */
import { mkdir, readFile } from 'node:fs/promises';
import { A3sError } from '../../errors.ts';
import { runTool } from './tool.ts';

const REMEDY =
  'Install the Debian package golang-go (1.24), or let A3S_GO name a newer go program.';
/** Of the 1.x series; what the agent's go.mod asks for. */
const OLDEST_MINOR = 24;

/** What guests run on, in Go's spelling. */
export type Architecture = 'amd64' | 'arm64';

/** The compiler: Debian's, or the one that `A3S_GO` names. */
function goProgram(): string {
  const named = process.env['A3S_GO'];
  return named === undefined || named === '' ? 'go' : named;
}

/**
 * Such as `go1.24.4`: what `boot.json` says that the agent was compiled by.
 *
 * @throws A3sError `tool-missing` where there is none that can compile it
 */
export async function goVersion(): Promise<string> {
  const program = goProgram();
  const output = await runTool(program, ['version'], {
    env: { GOTOOLCHAIN: 'local' },
    remedy: REMEDY,
  });
  const text = output.toString('utf8').trimEnd();
  const [, version, minor] = /^go version (go1\.(\d{1,4})(?:\.\d{1,4})?) /.exec(text) ?? [];
  if (version !== undefined && Number(minor) >= OLDEST_MINOR) return version;
  throw new A3sError(
    'tool-missing',
    `Cannot compile the agent by ${program}: it is ${JSON.stringify(text.slice(0, 200))}, and Go 1.${OLDEST_MINOR} or a later release is needed`,
    { remedy: REMEDY },
  );
}

/**
 * Compiles the program in `package` of the module `source`, static, to `output`.
 *
 * @param cache a directory for the compiler, used where the environment names none
 */
export async function buildAgent(
  source: string,
  output: string,
  options: { package: string; architecture: Architecture; version: string; cache: string },
): Promise<Buffer> {
  // Go interrupts code that runs for longer than 10 ms by a signal. In a copy of a running VM all
  // code is slow at first, since it is translated then, and handling the signal in kernel and
  // runtime would add some hundred blocks. Grown stacks keep their size, since the copy would have
  // to grow them again.
  const quiet = '-X runtime.godebugDefault=asyncpreemptoff=1,gcshrinkstackoff=1';
  const flags = `-s -w -buildid= -X main.version=${options.version} ${quiet}`;
  const goCache = process.env['GOCACHE'] ?? options.cache;
  await mkdir(goCache, { recursive: true });
  const build = ['build', '-trimpath', `-ldflags=${flags}`, '-o', output, options.package];
  await runTool(goProgram(), build, {
    cwd: source,
    env: {
      CGO_ENABLED: '0',
      GOOS: 'linux',
      GOARCH: options.architecture,
      // Of either architecture the oldest processors.
      GOAMD64: 'v1',
      GOARM64: 'v8.0',
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
