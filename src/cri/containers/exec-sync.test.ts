import { describe, expect, it } from 'vitest';
import { RuntimeService } from '../grpc/library.ts';
import { servePod } from '../testing/serve-pod.ts';

const { execSync } = RuntimeService.method;
const INVALID = 3;
const DEADLINE_EXCEEDED = 4;
const NOT_FOUND = 5;
const FAILED_PRECONDITION = 9;

const pod = servePod();

describe('ExecSync', () => {
  it('returns what a program printed, and its exit code', async () => {
    const containerId = await pod.started('web');
    const cmd = ['sh', '-c', 'echo out; echo err >&2; exit 3'];
    const { stdout, stderr, exitCode } = await pod.client.call(execSync, { containerId, cmd });
    expect([String(Buffer.from(stdout)), String(Buffer.from(stderr)), exitCode]).toEqual([
      ...['out\n', 'err\n', 3],
    ]);
  });

  it('kills a program that takes too long, with all that it started', async () => {
    const containerId = await pod.started('web');
    const asked = pod.client.call(execSync, {
      containerId,
      cmd: ['sleep', 'infinity'],
      timeout: 1n,
    });
    await expect(asked).rejects.toMatchObject({ code: DEADLINE_EXCEEDED });
    const processes = () =>
      pod.guest?.all
        .get(containerId)
        ?.describe()
        .processes.map(({ id }) => id);
    await expect.poll(processes).toEqual(['main']);
  });

  it('keeps the first bytes of a long output', async () => {
    const containerId = await pod.started('web');
    const size = 7 * 2 ** 20;
    const cmd = ['bytes', String(size + 100_000)];
    const { stdout } = await pod.client.call(execSync, { containerId, cmd });
    expect(stdout.length).toBe(size);
  });

  it('refuses a container that does not run, and a program that is not there', async () => {
    const created = await pod.create('created', ['true']);
    const refused = (containerId: string, cmd: string[]) =>
      expect(pod.client.call(execSync, { containerId, cmd })).rejects;
    await refused(created, ['true']).toMatchObject({ code: FAILED_PRECONDITION });
    await refused('none', ['true']).toMatchObject({ code: NOT_FOUND });
    await pod.startContainer(created);
    const running = await pod.started('running');
    await refused(running, ['/no/program']).toMatchObject({ code: INVALID });
    await refused(running, []).toMatchObject({ code: INVALID });
  });
});
