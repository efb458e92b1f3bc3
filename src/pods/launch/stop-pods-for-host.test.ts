import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ContainerState, PodSandboxState } from '../../cri/api/enums.ts';
import { RuntimeService } from '../../cri/grpc/library.ts';
import { CriClient } from '../../cri/testing/cri-client.ts';
import { TestHome } from '../../server/testing/home.ts';

const { runPodSandbox, createContainer, startContainer } = RuntimeService.method;
const { podSandboxStatus, containerStatus } = RuntimeService.method;

let directory: string;
let home: TestHome;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-cri-'));
  home = new TestHome();
  home.cri = join(directory, 'cri.sock');
  home.hostStops = true;
  await home.start();
});
afterEach(async () => {
  await home.remove();
  rmSync(directory, { recursive: true, force: true });
});

it('asks the containers of pods to end when the host does, and then ends their microVMs', async () => {
  const client = new CriClient(join(directory, 'cri.sock'));
  const metadata = { name: 'pod', uid: 'uid', namespace: 'default', attempt: 0 };
  const { podSandboxId } = await client.call(runPodSandbox, { config: { metadata } });
  const config = {
    ...{ metadata: { name: 'web', attempt: 0 }, image: { image: 'busybox' } },
    command: ['sleep', 'infinity'],
  };
  const { containerId } = await client.call(createContainer, { podSandboxId, config });
  await client.call(startContainer, { containerId });
  client.close();
  await home.stop();
  expect(home.host.vm(podSandboxId)?.running).toBe(false);

  await home.start();
  const next = new CriClient(join(directory, 'cri.sock'));
  const container = (await next.call(containerStatus, { containerId })).status;
  // By SIGTERM, and not by the end of its microVM.
  expect(container).toMatchObject({ state: ContainerState.CONTAINER_EXITED, exitCode: 143 });
  const pod = (await next.call(podSandboxStatus, { podSandboxId })).status;
  expect(pod?.state).toBe(PodSandboxState.SANDBOX_NOTREADY);
  next.close();
});
