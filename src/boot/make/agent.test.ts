import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { buildAgent, goVersion } from './agent.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'agent-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(root, { recursive: true });
});

/**
 * Points `A3S_GO` to a program that prints the given version and writes its arguments to its output
 * file.
 */
async function useGo(version: string): Promise<void> {
  const path = join(root, 'go');
  const script = `#!/bin/sh
if [ "$1" = version ]; then echo '${version}'; exit; fi
while [ "$1" != -o ]; do shift; done
echo "$GOTOOLCHAIN" "$3" >"$2"
`;
  await writeFile(path, script);
  await chmod(path, 0o755);
  vi.stubEnv('A3S_GO', path);
}

it.each(['go1.24', 'go1.24.4', 'go1.25.7', 'go1.26.0'])(
  'compiles the agent with the Go that A3S_GO names, here %s, and downloads no toolchain',
  async (version) => {
    await useGo(`go version ${version} linux/amd64`);
    expect(await goVersion()).toBe(version);
    const where = { package: './x', architecture: 'amd64', cache: join(root, 'cache') } as const;
    const options = { ...where, version: '1' };
    const agent = await buildAgent(root, join(root, 'agent'), options);
    expect(agent.toString()).toBe('local ./x\n');
  },
);

it.each([
  'go version go1.23.9 linux/amd64',
  'go version devel go1.27-3fd729b linux/amd64',
  'go version go2.0 linux/amd64',
  'gccgo 14.2',
  '',
])('refuses a compiler that prints %j as its version', async (text) => {
  await useGo(text);
  await expect(goVersion()).rejects.toMatchObject({
    code: 'tool-missing',
    remedy: expect.stringContaining('A3S_GO'),
  });
});

it('refuses an A3S_GO that does not exist, and uses no other Go in its place', async () => {
  vi.stubEnv('A3S_GO', join(root, 'missing'));
  await expect(goVersion()).rejects.toMatchObject({ code: 'tool-missing' });
});

it('uses the installed Go without A3S_GO', async () => {
  vi.stubEnv('A3S_GO', '');
  expect(await goVersion()).toMatch(/^go1\.\d+/);
});
