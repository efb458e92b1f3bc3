/**
 * Boxes of an image of linux/arm64, which this host emulates.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildAgent } from '../../src/boot/make/agent.ts';
import { Actor } from './actor.ts';
import { type Installation, install } from './installation.ts';
import { expectRefusal } from './refusal.ts';

const IMAGE = 'test/arm64:1';

/** Prints what it runs on, and what the default seccomp profile says of keyctl; or waits. */
const PROGRAM = `package main

import (
	"os"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 {
		for {
			time.Sleep(time.Hour)
		}
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
	_, _, errno := syscall.Syscall(syscall.SYS_KEYCTL, 0, 0, 0)
	os.Stdout.WriteString(string(machine) + ", keyctl: " + errno.Error() + "\\n")
}
`;
const OUTPUT = 'aarch64, keyctl: operation not permitted';

let installation: Installation;
let actor: Actor;
beforeAll(async () => {
  installation = await install();
  actor = new Actor('root', installation);
  const source = join(actor.directory, 'source');
  const root = join(actor.directory, 'root');
  mkdirSync(source);
  mkdirSync(root);
  writeFileSync(join(source, 'go.mod'), 'module example.test/show\n\ngo 1.24\n');
  writeFileSync(join(source, 'main.go'), PROGRAM);
  await buildAgent(source, join(root, 'show'), {
    ...{ package: '.', architecture: 'arm64', version: '1' },
    cache: join(import.meta.dirname, '../../build/cache/go'),
  });
  const archive = join(actor.directory, 'root.tar');
  execFileSync('tar', ['-C', root, '-cf', archive, 'show']);
  const change = ['--change', 'ENTRYPOINT ["/show"]'];
  await actor.ok(['import', '--platform', 'linux/arm64', ...change, archive, IMAGE]);
});
afterAll(async () => {
  await actor.leave();
  installation.remove();
});

it('runs a box of an arm64 image, and tells its client that it is emulated', async () => {
  const format = ['--format', '{{.Architecture}}'];
  expect(await actor.ok(['image', 'inspect', ...format, IMAGE])).toBe('arm64');
  const ran = await actor.run(['run', '--rm', '--platform', 'linux/arm64', IMAGE]);
  expect(ran).toMatchObject({ code: 0, stdout: `${OUTPUT}\n` });
  expect(ran.stderr).toContain('the box is emulated');
});

it('runs commands in an arm64 box, and saves none of its memory', async () => {
  await actor.ok(['run', '-d', '--name', 'arm', '-p', '127.0.0.1:0:80', IMAGE, 'wait']);
  expect(await actor.ok(['exec', 'arm', '/show'])).toBe(OUTPUT);
  const snapshot = await actor.run(['snapshot', 'create', '--memory', 'arm']);
  expectRefusal(snapshot, 1, 'unsupported-option');
  await actor.ok(['rm', '-f', 'arm']);
});

it('makes no confidential box of an arm64 image', async () => {
  const refused = await actor.run(['create', '--tee', 'simulate', IMAGE]);
  expectRefusal(refused, 1, 'unsupported-option');
  expect(refused.stderr).toContain('SEV-SNP is of x86-64 processors');
});
