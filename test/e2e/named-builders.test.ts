/**
 * Builders by name, and images of linux/arm64 that they make: each builder is a microVM.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildAgent } from '../../src/boot/make/agent.ts';
import type { BuilderSocket } from '../../src/docker-api/a3s/builder.ts';
import { cachedSteps, EVENTS } from '../clients/build/cached-steps.ts';
import { Actor, type Result } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { scaled } from './time-scale.ts';

const run = promisify(execFile);
/** A builder boots, and its daemon starts, under emulation on a busy machine. */
const SLOW_MS = scaled(900_000);
const NAMES = ['team-a', 'team-b'];
const STEP = 'echo apart > /apart';

let installation: Installation;
let actor: Actor;

beforeAll(async () => {
  installation = await install();
  actor = new Actor('root', installation);
  // Of the server, which this starts: it saves no builder that has ended.
  const env = { A3S_BUILDER_SNAPSHOT: 'off' };
  await actor.ok(['load', '--input', installation.archives.busybox], { env });
}, SLOW_MS);
afterAll(async () => {
  await actor?.leave();
  installation?.remove();
}, SLOW_MS);

/** A directory to build from. */
function context(name: string, dockerfile: string): string {
  const path = join(actor.directory, name);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'Dockerfile'), dockerfile);
  return path;
}

function build(builder: string, ...args: readonly string[]): Promise<Result> {
  const words = ['build', '--builder', builder, EVENTS, ...args];
  return actor.run(words, { deadlineMs: SLOW_MS });
}

async function built(builder: string, ...args: readonly string[]): Promise<string> {
  const ran = await build(builder, ...args);
  expect(ran.code, ran.stderr).toBe(0);
  return ran.stderr;
}

const lines = async (...args: readonly string[]): Promise<readonly string[]> =>
  (await actor.ok(args))
    .split('\n')
    .filter((line) => line.includes('team-'))
    .toSorted();

it(
  'gives each named builder a box, a cache disk and a socket, and none the cache of another',
  async () => {
    const apart = context('apart', `FROM ${BUSYBOX}\nRUN ${STEP}\n`);
    for (const name of NAMES) {
      expect(cachedSteps(await built(name, '--tag', 'apart:1', apart))).toEqual([]);
    }
    const boxes = NAMES.map((name) => `a3s-builder-${name}`);
    const ofBuilders = ['--filter', 'label=dev.a3s.role=builder'];
    expect(await lines('ps', ...ofBuilders, '--format', '{{.Names}}')).toEqual(boxes);
    expect(await lines('volume', 'ls', '--format', '{{.Name}}')).toEqual(boxes);
    expect(await lines('builder', 'ls')).toEqual(
      NAMES.map((name) => expect.stringMatching(new RegExp(`^${name} +running `))),
    );
    const ids = await Promise.all(boxes.map((box) => actor.ok(['inspect', '-f', '{{.Id}}', box])));
    expect(new Set(ids).size).toBe(2);
    // A client of Docker's builds in it by its socket, which its user alone opens.
    const sockets: string[] = [];
    for (const name of NAMES) {
      const asked = ['-sS', '-X', 'POST', '--unix-socket', actor.socket];
      const { stdout } = await run('curl', [...asked, `http://a3s/a3s/v1/builders/${name}/socket`]);
      const { socket } = JSON.parse(stdout) as BuilderSocket;
      expect(statSync(socket).mode & 0o777).toBe(0o600);
      sockets.push(socket);
      const env = {
        ...process.env,
        DOCKER_HOST: `unix://${socket}`,
        DOCKER_CONFIG: actor.directory,
      };
      const words = ['build', EVENTS, '--tag', 'apart:1', apart];
      const { stderr } = await run('docker', words, { env, timeout: SLOW_MS });
      expect(cachedSteps(stderr), stderr).toEqual([STEP]);
    }
    expect(new Set(sockets).size).toBe(2);
  },
  SLOW_MS,
);

it(
  'decides by the image policy in each named builder, and forgets what another policy let in',
  async () => {
    const policy = join(actor.home, 'image-policy.yaml');
    const apart = context('apart', `FROM ${BUSYBOX}\nRUN ${STEP}\n`);
    const rules = [
      '{ pattern: "docker.io/test/**", deny: "not for builds" }',
      '{ pattern: "**", allowUnsigned: true }',
    ];
    writeFileSync(policy, `images: [${rules.join(', ')}]\n`);
    for (const name of NAMES) {
      const refused = await build(name, apart);
      expect(refused.code).not.toBe(0);
      expect(refused.stderr).toMatch(/the image policy refuses it: .*not for builds/);
    }
    // The other cache has what the policy of before had let in, until its next build.
    rmSync(policy);
    expect(cachedSteps(await built('team-a', apart))).toEqual([]);
  },
  SLOW_MS,
);

/** Writes what it runs on, by a program that it starts. */
const PROGRAM = `package main

import (
	"os"
	"os/exec"
	"syscall"
)

func main() {
	if len(os.Args) == 2 {
		child := exec.Command("/show", os.Args[1], "child")
		child.Stderr = os.Stderr
		if err := child.Run(); err != nil {
			panic(err)
		}
		return
	}
	var name syscall.Utsname
	if err := syscall.Uname(&name); err != nil {
		panic(err)
	}
	machine := make([]byte, 0, len(name.Machine))
	for _, each := range name.Machine {
		if each != 0 {
			machine = append(machine, byte(each))
		}
	}
	if err := os.WriteFile(os.Args[1], append(machine, '\\n'), 0o644); err != nil {
		panic(err)
	}
}
`;

it(
  'runs the steps of a build for linux/arm64 in an emulator, and stores its result',
  async () => {
    const source = join(actor.directory, 'source');
    mkdirSync(source);
    writeFileSync(join(source, 'go.mod'), 'module example.test/show\n\ngo 1.24\n');
    writeFileSync(join(source, 'main.go'), PROGRAM);
    const files = context(
      'arm',
      `FROM --platform=$BUILDPLATFORM ${BUSYBOX} AS native
RUN uname -m > /native
FROM scratch
ARG TARGETARCH
COPY show-$TARGETARCH /show
COPY --from=native /native /native
RUN ["/show", "/machine"]
`,
    );
    for (const architecture of ['arm64', 'amd64'] as const) {
      await buildAgent(source, join(files, `show-${architecture}`), {
        ...{ package: '.', architecture, version: '1' },
        cache: join(import.meta.dirname, '../../build/cache/go'),
      });
    }
    const arm = ['--platform', 'linux/arm64'];
    await built('team-b', ...arm, '--tag', 'arm:1', files);
    expect(await actor.ok(['image', 'inspect', '-f', '{{.Architecture}}', 'arm:1'])).toBe('arm64');
    // The result is a base of another build, for the same platform and for no other.
    const next = context('next', 'FROM arm:1\nRUN ["/show", "/again"]\n');
    const out = join(actor.directory, 'out');
    await built('team-b', ...arm, '--output', `type=local,dest=${out}`, next);
    const written = (path: string): string => readFileSync(join(out, path), 'utf8');
    expect([written('machine'), written('again'), written('native')]).toEqual([
      ...['aarch64\n', 'aarch64\n', 'x86_64\n'],
    ]);
    // Both at once, each by its own program.
    const both = ['--platform', 'linux/amd64,linux/arm64', '--output', `type=local,dest=${out}`];
    await built('team-b', ...both, files);
    expect(written('linux_amd64/machine')).toBe('x86_64\n');
    expect(written('linux_arm64/machine')).toBe('aarch64\n');
    const wrong = await build('team-b', '--platform', 'linux/amd64,linux/arm64', next);
    expect(wrong.code).not.toBe(0);
    expect(wrong.stderr).toMatch(/no match for platform/);
  },
  SLOW_MS,
);

it(
  'gives equal builds equal digests in two named builders',
  async () => {
    const equal = context('equal', `FROM ${BUSYBOX}\nCOPY file /file\nRUN echo a > /a; mkdir /b\n`);
    const digests: string[] = [];
    for (const name of NAMES) {
      // The time of the file is no part of the result.
      writeFileSync(join(equal, 'file'), 'x');
      const output = ['--output', 'type=image,name=equal:1,rewrite-timestamp=true'];
      const words = ['build', '--builder', name, '--no-cache', '--provenance=false', ...output];
      const env = { SOURCE_DATE_EPOCH: '1700000000' };
      await actor.ok([...words, equal], { env, deadlineMs: SLOW_MS });
      const shown = ['image', 'inspect', '-f', '{{.Id}} {{.Descriptor.digest}}', 'equal:1'];
      digests.push(await actor.ok(shown));
    }
    expect(digests[0]).toMatch(/^sha256:[0-9a-f]{64} sha256:[0-9a-f]{64}$/);
    expect(digests[1]).toBe(digests[0]);
  },
  SLOW_MS,
);

it(
  'removes one named builder with its cache, and leaves the other',
  async () => {
    const disk = await actor.ok([
      'volume',
      'inspect',
      '-f',
      '{{.Mountpoint}}',
      'a3s-builder-team-a',
    ]);
    await actor.ok(['builder', 'rm', 'team-a']);
    expect(existsSync(disk)).toBe(false);
    expect(await lines('builder', 'ls')).toEqual([expect.stringMatching(/^team-b +running /)]);
    expect(await lines('ps', '--all', '--format', '{{.Names}}')).toEqual(['a3s-builder-team-b']);
    expect(await lines('volume', 'ls', '--format', '{{.Name}}')).toEqual(['a3s-builder-team-b']);
    const gone = await actor.run(['builder', 'inspect', 'team-a']);
    expect(gone.stderr).toContain('No such builder: team-a');
    await actor.ok(['builder', 'rm', '--force', 'team-b']);
    expect(await lines('builder', 'ls')).toEqual([]);
  },
  SLOW_MS,
);
