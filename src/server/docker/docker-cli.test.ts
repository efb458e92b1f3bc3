import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DockerResult, docker } from '../testing/docker.ts';
import { TestHome } from '../testing/home.ts';

const home = new TestHome();
beforeAll(async () => {
  await home.start();
});
afterAll(() => home.remove());

const run = (args: readonly string[], input?: string | Uint8Array): Promise<DockerResult> =>
  docker(home.config.socket, args, input);

describe('docker', () => {
  it('docker agrees on an API version and describes the server', async () => {
    expect((await run(['version', '--format', '{{.Server.APIVersion}}'])).stdout).toBe('1.45\n');
    expect((await run(['info', '--format', '{{.ServerVersion}}'])).code).toBe(0);
  });

  it('docker run separates stdout, stderr and the exit code', async () => {
    const result = await run([
      ...['run', '--rm', 'busybox', 'sh', '-c', 'echo hi; echo err >&2; exit 7'],
    ]);
    expect(result).toMatchObject({ code: 7, stdout: 'hi\n', stderr: 'err\n' });
  });

  it('docker run -i passes binary input through unchanged', async () => {
    const input = randomBytes(1_000_000);
    const result = await run(['run', '-i', '--rm', 'busybox', 'cat'], input);
    expect(result.code).toBe(0);
    expect(result.bytes.equals(input)).toBe(true);
  });

  it('docker manages a box from run -d to rm', async () => {
    const id = (
      await run([
        ...['run', '-d', '--name', 'one', '-p', '127.0.0.1:0:80', '-l', 'a=b', 'busybox'],
        ...['sh', '-c', 'echo out; sleep infinity'],
      ])
    ).stdout.trim();
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    const ps = await run([
      'ps',
      '--format',
      '{{.ID}} {{.Names}} {{.State}} {{.Ports}} {{.Labels}}',
    ]);
    expect(ps.stdout).toMatch(
      new RegExp(`^${id.slice(0, 12)} one running 127\\.0\\.0\\.1:\\d+->80/tcp .*a=b`),
    );
    expect((await run(['port', 'one'])).stdout).toMatch(/^80\/tcp -> 127\.0\.0\.1:\d+\n$/);
    expect((await run(['logs', '-t', 'one'])).stdout).toMatch(/^\d{4}-.*Z out\n$/);
    expect(await run(['exec', 'one', 'sh', '-c', 'echo in; fail err; exit 4'])).toMatchObject({
      code: 4,
      stdout: 'in\n',
      stderr: 'err\n',
    });
    const input = randomBytes(300_000);
    expect((await run(['exec', '-i', 'one', 'cat'], input)).bytes.equals(input)).toBe(true);
    expect(await run(['exec', 'one', 'nope'])).toMatchObject({ code: 126 });
    expect(await run(['exec', '-u', 'nobodyy', 'one', 'true'])).toMatchObject({ code: 126 });
    expect((await run(['exec', '-d', 'one', 'sleep', '0'])).code).toBe(0);
    expect(await run(['stop', 'one'])).toMatchObject({ code: 0, stdout: 'one\n' });
    expect(await run(['start', 'one'])).toMatchObject({ code: 0, stdout: 'one\n' });
    expect(await run(['kill', '-s', 'TERM', 'one'])).toMatchObject({ code: 0 });
    expect((await run(['wait', 'one'])).stdout).toBe('143\n');
    expect((await run(['logs', 'one'])).stdout).toBe('out\nout\n');
    expect((await run(['logs', '--tail', '1', 'one'])).stdout).toBe('out\n');
    expect(await run(['rm', 'one'])).toMatchObject({ code: 0, stdout: 'one\n' });
    expect(await run(['rm', 'one'])).toMatchObject({ code: 1 });
  });

  it('docker logs -f and docker attach both see the output to the end', async () => {
    await run(['run', '-d', '-i', '--name', 'chat', 'busybox', 'cat']);
    const following = run(['logs', '-f', 'chat']);
    const attached = run(['attach', 'chat'], 'said\n');
    await expect.poll(async () => (await run(['logs', 'chat'])).stdout).toBe('said\n');
    await run(['stop', '-t', '0', 'chat']);
    expect((await attached).stdout).toBe('said\n');
    expect((await following).stdout).toBe('said\n');
    await run(['rm', 'chat']);
  });

  it('docker run exits with Docker’s codes for boxes that cannot start', async () => {
    expect((await run(['run', 'busybox', 'nope'])).code).toBe(127);
    expect((await run(['run', 'busybox', '/etc/passwd'])).code).toBe(126);
    expect((await run(['run', 'no-such-image', 'true'])).code).toBe(125);
    const refused = await run(['run', '--cpuset-mems', '0', 'busybox', 'true']);
    expect(refused.code).toBe(125);
    expect(refused.stderr).toContain('HostConfig.CpusetMems is not supported');
  });

  it('docker loads, lists and inspects images, and does not remove an image in use', async () => {
    expect(await run(['load'], 'an archive')).toMatchObject({
      code: 0,
      stdout: 'Loaded image: busybox:latest\n',
    });
    const broken = await run(['load'], 'broken');
    expect(broken).toMatchObject({ code: 1 });
    expect(broken.stderr).toContain('Cannot load the image: it is broken');
    expect((await run(['images', '--format', '{{.Repository}}:{{.Tag}}'])).stdout).toBe(
      'busybox:latest\n',
    );
    expect((await run(['image', 'inspect', 'busybox', '--format', '{{.Os}}'])).stdout).toBe(
      'linux\n',
    );
    await run(['create', '--name', 'holder', 'busybox', 'true']);
    expect((await run(['rmi', 'busybox'])).stderr).toContain('conflict');
    await run(['rm', 'holder']);
  });

  it('docker shows the events of a box in order', async () => {
    await run(['run', '--rm', '--name', 'eventful', 'busybox', 'false']);
    // The client rounds to whole seconds.
    const until = String(Math.ceil(Date.now() / 1000));
    const { stdout } = await run([
      ...['events', '--since', '1h', '--until', until, '--filter', 'container=eventful'],
      ...['--format', '{{.Action}} {{.Actor.Attributes.exitCode}}'],
    ]);
    expect(stdout.trim().split('\n')).toEqual([
      'create <no value>',
      'attach <no value>',
      'start <no value>',
      'die 1',
      'destroy <no value>',
    ]);
  });
});
