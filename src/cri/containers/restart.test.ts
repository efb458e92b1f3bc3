import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { stopContainer as stopRunning } from '../../pods/containers/stop-container.ts';
import { ContainerState } from '../api/enums.ts';
import { servePod } from '../testing/serve-pod.ts';

const { CONTAINER_CREATED, CONTAINER_RUNNING, CONTAINER_EXITED } = ContainerState;

const pod = servePod();

describe('a server that starts again', () => {
  it('follows the containers that run, and has the guest give up all others', async () => {
    const [kept, ends, created] = [
      await pod.started('kept'),
      await pod.started('ends', ['stubborn']),
      await pod.create('created', ['true']),
    ];
    const agents = pod.guest;
    await pod.home.crash();
    agents?.all.get(ends)?.kill();
    // Of a container whose record was lost.
    pod.home.host.vm(pod.id)?.diskSets.set(created.slice(0, 12), []);
    await pod.home.start();
    expect(await pod.stateOf(kept)).toBe(CONTAINER_RUNNING);
    await expect.poll(() => pod.statusOf(ends)).toMatchObject({ exitCode: 137, reason: 'Error' });
    expect(await pod.stateOf(created)).toBe(CONTAINER_CREATED);
    await expect.poll(() => [...(agents?.all.keys() ?? [])]).toEqual([kept]);
    await expect.poll(() => [...(pod.disks?.keys() ?? [])]).toEqual([kept.slice(0, 12)]);
    await pod.stop(kept);
    expect(await pod.statusOf(kept)).toMatchObject({ exitCode: 143 });
  });

  it('makes the disk that an earlier server has recorded and not made', async () => {
    const id = await pod.create('created', ['true']);
    await pod.home.crash();
    const disk = join(pod.home.config.home, 'pods', pod.id, `${id}.ext4`);
    rmSync(disk);
    await pod.home.start();
    expect(await pod.stateOf(id)).toBe(CONTAINER_CREATED);
    await pod.startContainer(id);
    expect(existsSync(disk)).toBe(true);
    await expect.poll(() => pod.statusOf(id)).toMatchObject({ exitCode: 0, reason: 'Completed' });
  });

  it('says that a container never began whose start the earlier server did not finish', async () => {
    const id = await pod.create('web', ['true']);
    pod.home.runtime.pods.advanceContainer(id, 'start');
    await pod.home.crash();
    await pod.home.start();
    expect(await pod.statusOf(id)).toMatchObject({
      ...{ state: CONTAINER_EXITED, exitCode: 128, reason: 'StartError', startedAt: 0n },
      message: expect.stringContaining('while the container was starting'),
    });
  });

  it('stops a container once it is taken over', async () => {
    const id = await pod.started('web');
    const agents = pod.guest;
    if (agents === undefined) return expect.fail('the pod has no agent');
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    await pod.home.crash();
    const list = agents.list.bind(agents);
    vi.spyOn(agents, 'list').mockImplementationOnce((stream) => void gate.then(() => list(stream)));
    await pod.home.start();
    const stopping = stopRunning(pod.home.runtime, id, 0);
    open();
    await stopping;
    expect(await pod.statusOf(id)).toMatchObject({ state: CONTAINER_EXITED, exitCode: 137 });
  });

  it('removes disks of containers that are not on record, and no others', async () => {
    const id = await pod.create('kept', ['true']);
    const directory = join(pod.home.config.home, 'pods', pod.id);
    await pod.home.crash();
    for (const left of [`${'a'.repeat(64)}.ext4`, `${'b'.repeat(64)}.ext4.new`]) {
      writeFileSync(join(directory, left), '');
    }
    await pod.home.start();
    expect(readdirSync(directory)).toEqual([`${id}.ext4`]);
  });
});
