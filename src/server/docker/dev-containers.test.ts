/**
 * What the Dev Containers CLI (0.89) has Docker's client do for a devcontainer.json that names an
 * image: its workspace comes by `--mount type=bind`, it finds the box by labels, waits for the
 * event of its start, and works in shells that it writes to.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type DockerResult, docker } from '../testing/docker.ts';
import { TestHome } from '../testing/home.ts';

const home = new TestHome();
const workspace = mkdtempSync(join(tmpdir(), 'a3s-workspace-'));
beforeAll(async () => {
  await home.start();
});
afterAll(async () => {
  await home.remove();
  rmSync(workspace, { recursive: true });
});

const run = (args: readonly string[], input?: string): Promise<DockerResult> =>
  docker(home.config.socket, args, input);

async function said(args: readonly string[], input?: string): Promise<string> {
  const result = await run(args, input);
  expect(result, result.stderr).toMatchObject({ code: 0 });
  return result.stdout;
}

const FOLDER = `devcontainer.local_folder=${workspace}`;
const FILE = `devcontainer.config_file=${workspace}/.devcontainer/devcontainer.json`;
const METADATA = '[{"postCreateCommand":"echo made > made"}]';
const FIND = ['ps', '-q', '-a', '--filter', `label=${FOLDER}`, '--filter', `label=${FILE}`];

it('runs a development container as the Dev Containers CLI asks Docker’s client for it', async () => {
  expect(await said(['version', '--format', '{{.Server.Version}}'])).toMatch(/^\d+\.\d+/);
  expect(await said(FIND)).toBe('');
  expect(JSON.parse(await said(['inspect', '--type', 'image', 'busybox:latest']))).toHaveLength(1);
  const since = String(Math.floor(Date.now() / 1000) - 1);
  const attached = run([
    ...['run', '--sig-proxy=false', '-a', 'STDOUT', '-a', 'STDERR'],
    ...['--mount', `type=bind,source=${workspace},target=/workspaces/project`],
    ...['-l', FOLDER, '-l', FILE, '--entrypoint', '/bin/sh', '-l'],
    ...[`devcontainer.metadata=${METADATA}`, 'busybox:latest', '-c'],
    ...['echo Container started; sleep infinity', '-'],
  ]);
  await expect
    .poll(() => said([...FIND, '--filter', 'status=running']))
    .toMatch(/^[0-9a-f]{12}\n$/);
  const short = (await said(FIND)).trim();
  const [shown] = JSON.parse(await said(['inspect', '--type', 'container', short]));
  expect(shown).toMatchObject({
    Id: expect.stringContaining(short),
    State: { Status: 'running' },
    Config: { Labels: { 'devcontainer.metadata': METADATA } },
    Mounts: [{ Type: 'bind', Source: workspace, Destination: '/workspaces/project', RW: true }],
  });
  const until = String(Math.ceil(Date.now() / 1000));
  const events = await said([
    ...['events', '--format', '{{json .}}', '--filter', 'event=start'],
    ...['--since', since, '--until', until],
  ]);
  expect(
    events
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toMatchObject([{ status: 'start', id: shown.Id, Type: 'container' }]);
  const session = ['-e', 'VSCODE_REMOTE_CONTAINERS_SESSION=1'];
  // The shell of the fake guest says what it reads.
  const script = 'echo -n 1; (uname -sm); echo -n 1\n';
  expect(await said(['exec', '-i', '-u', 'root', ...session, shown.Id, '/bin/sh'], script)).toBe(
    script,
  );
  // What a login shell has printed before its environment is taken for the name of a variable.
  const banner = '\n\nBusyBox built-in shell (ash)\n\nHOSTNAME';
  const environment = ['-e', `${banner}=box`, '-e', 'SHLVL=1', '-e', 'HOME=/root'];
  const inside = ['-w', '/workspaces/project', shown.Id, '/bin/sh', '-c', 'pwd; env'];
  expect(await said(['exec', '-i', '-u', 'root', ...environment, ...inside])).toContain(
    `${banner}=box\n`,
  );
  await said(['stop', shown.Id]);
  expect(await attached).toMatchObject({ stdout: 'Container started\n' });
  expect(await said(['start', short])).toBe(`${short}\n`);
  expect(await said(FIND)).toBe(`${short}\n`);
  await said(['rm', '-f', short]);
  expect(await said(FIND)).toBe('');
});
