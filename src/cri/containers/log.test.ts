import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ContainerState } from '../api/enums.ts';
import { RuntimeService } from '../grpc/library.ts';
import { servePod } from '../testing/serve-pod.ts';

const { runPodSandbox, removePodSandbox, createContainer, reopenContainerLog } =
  RuntimeService.method;
const { CONTAINER_EXITED } = ContainerState;
const FAILED_PRECONDITION = 9;

const pod = servePod();

describe('the log of a container', () => {
  it('takes its output in the format of kubelet, goes on in a new file, and over a restart', async () => {
    const logDirectory = mkdtempSync(join(tmpdir(), 'a3s-logs-'));
    const metadata = { name: 'logged', uid: 'uid', namespace: 'default', attempt: 0 };
    const asked = { config: { metadata, logDirectory } };
    const { podSandboxId } = await pod.client.call(runPodSandbox, asked);
    const config = {
      metadata: { name: 'c' },
      image: { image: 'busybox' },
      command: ['stubborn'],
      logPath: 'c.log',
    };
    const { containerId } = await pod.client.call(createContainer, { podSandboxId, config });
    await pod.startContainer(containerId);
    const path = join(logDirectory, 'c.log');
    expect((await pod.statusOf(containerId))?.logPath).toBe(path);
    const lines = (file: string): string[] =>
      readFileSync(file, 'utf8')
        .split('\n')
        .map((line) => line.replace(/^\S+ /, ''));
    const signalled = pod.home.agents.get(podSandboxId)?.containers.all.get(containerId);
    const print = () => signalled?.signalMain('SIGTERM');
    print();
    await expect.poll(() => lines(path)).toEqual(['stdout F ignored SIGTERM', '']);
    renameSync(path, `${path}.1`);
    await pod.client.call(reopenContainerLog, { containerId });
    print();
    await expect.poll(() => lines(path)).toEqual(['stdout F ignored SIGTERM', '']);
    await pod.home.crash();
    print();
    await pod.home.start();
    await expect
      .poll(() => lines(path))
      .toEqual([...Array(2).fill('stdout F ignored SIGTERM'), '']);
    expect(lines(`${path}.1`)).toHaveLength(2);
    await pod.stop(containerId, 0n);
    await expect(pod.client.call(reopenContainerLog, { containerId })).rejects.toMatchObject({
      code: FAILED_PRECONDITION,
    });
    await pod.client.call(removePodSandbox, { podSandboxId });
    rmSync(logDirectory, { recursive: true });
  });
});

describe('the log of a container whose microVM ends', () => {
  it('keeps the line that was not finished', async () => {
    const logDirectory = mkdtempSync(join(tmpdir(), 'a3s-logs-'));
    const metadata = { name: 'logged', uid: 'uid', namespace: 'default', attempt: 0 };
    const asked = { config: { metadata, logDirectory } };
    const { podSandboxId } = await pod.client.call(runPodSandbox, asked);
    const config = {
      ...{ metadata: { name: 'c' }, image: { image: 'busybox' }, logPath: 'c.log' },
      command: ['sh', '-c', 'bytes 4; sleep infinity'],
    };
    const { containerId } = await pod.client.call(createContainer, { podSandboxId, config });
    await pod.startContainer(containerId);
    const output = pod.home.runtime.runningPods.get(podSandboxId)?.outputs.get(containerId);
    await expect.poll(() => output?.next).toBe(4);
    pod.home.host.running.find((vm) => vm.spec.id === podSandboxId)?.killed();
    await expect.poll(() => pod.stateOf(containerId)).toBe(CONTAINER_EXITED);
    expect(readFileSync(join(logDirectory, 'c.log'), 'utf8')).toContain(
      ' stdout P \0\x01\x02\x03\n',
    );
    await pod.client.call(removePodSandbox, { podSandboxId });
    rmSync(logDirectory, { recursive: true });
  });
});

describe('the log of the server', () => {
  const LOST = 'the connection to a container was lost';

  async function followed() {
    const containerId = await pod.started('c');
    const { runtime, agents, host } = pod.home;
    const errors = vi.spyOn(runtime.log, 'error');
    onTestFinished(() => errors.mockRestore());
    const reported = () => errors.mock.calls.map(([message]) => message);
    await expect.poll(() => agents.get(pod.id)?.containers.all.has(containerId)).toBe(true);
    return { containerId, vm: host.running.find(({ spec }) => spec.id === pod.id), reported };
  }

  it('takes no error where a connection breaks because the microVM ends', async () => {
    const { containerId, vm, reported } = await followed();
    vm?.disconnect();
    await turn();
    vm?.killed();
    await expect.poll(() => pod.stateOf(containerId)).toBe(CONTAINER_EXITED);
    expect(reported()).not.toContain(LOST);
  });

  it('takes one where the microVM runs on', async () => {
    const { containerId, vm, reported } = await followed();
    vm?.disconnect();
    await expect.poll(reported).toContain(LOST);
    expect(await pod.stateOf(containerId)).toBe(ContainerState.CONTAINER_RUNNING);
  });
});
