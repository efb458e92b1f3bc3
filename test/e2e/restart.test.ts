import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Actor, ANY_ACTOR } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { until } from './processes.ts';

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterAll(() => installation.remove());

describe.each(ANY_ACTOR)('the restart policies of %s', (name) => {
  let actor: Actor;
  beforeAll(async () => {
    actor = new Actor(name, installation);
    await actor.prepare();
  });
  afterAll(() => actor.leave());

  async function inspect(box: string) {
    return JSON.parse(await actor.ok(['inspect', box]))[0];
  }

  async function runs(box: string, restartCount: number, status: string): Promise<void> {
    await until(`${box} is ${status} after ${restartCount} restarts`, async () => {
      const { RestartCount, State } = await inspect(box);
      return RestartCount === restartCount && State.Status === status;
    });
  }

  it('restarts a failing box twice under on-failure:2, and no box that a user stops', async () => {
    const failing = ['run', '-d', '--name', 'failing', '--network', 'none'];
    const script = 'echo "run $(cat /n 2>/dev/null)"; echo again > /n; exit 3';
    await actor.ok([...failing, '--restart', 'on-failure:2', BUSYBOX, 'sh', '-c', script]);
    await runs('failing', 2, 'exited');
    expect((await inspect('failing')).State.ExitCode).toBe(3);
    // Its writable layer is the same one in every run.
    expect(await actor.ok(['logs', 'failing'])).toBe('run \nrun again\nrun again');
    await actor.ok(['rm', 'failing']);

    const kept = ['run', '-d', '--name', 'kept', '--network', 'none'];
    await actor.ok([...kept, '--restart', 'unless-stopped', BUSYBOX, 'sleep', '1000']);
    const [vmm] = actor.vmms();
    expect(vmm).toBeDefined();
    if (vmm !== undefined) process.kill(vmm.pid, 'SIGKILL');
    await runs('kept', 1, 'running');
    await actor.ok(['stop', '--time', '0', 'kept']);
    await actor.killServer();
    expect((await inspect('kept')).State.Status).toBe('exited');
    expect(actor.boxProcesses()).toEqual([]);
    await actor.ok(['rm', 'kept']);
  });

  it('restarts a box by its policy after the host and the server went down', async () => {
    const args = ['run', '-d', '--name', 'always', '--network', 'none', '--restart', 'always'];
    await actor.ok([...args, BUSYBOX, 'sleep', '1000']);
    await actor.killServer();
    // As the end of the host: its VMs are gone, and nobody saw it.
    for (const { pid } of actor.vmms()) process.kill(pid, 'SIGKILL');
    await until('the microVMs are gone', () => actor.vmms().length === 0);
    await runs('always', 1, 'running');
    const before = (await inspect('always')).State.StartedAt;
    await actor.ok(['restart', '--time', '0', 'always']);
    const { RestartCount, State } = await inspect('always');
    expect({ RestartCount, Status: State.Status }).toEqual({ RestartCount: 0, Status: 'running' });
    expect(State.StartedAt).not.toBe(before);
    await actor.ok(['rm', '--force', 'always']);
    expect(actor.boxProcesses()).toEqual([]);
  });
});
