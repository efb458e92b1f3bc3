import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { drainExecs } from '../../pods/containers/end-exec.ts';
import { execProcess } from '../../pods/containers/running-container.ts';
import { execAttached } from '../../pods/streams/exec.ts';
import { TestHome } from '../../server/testing/home.ts';
import { allow } from '../../server/testing/signed-images.ts';
import { RuntimeService } from '../grpc/library.ts';
import { CriClient } from '../testing/cri-client.ts';

const { runPodSandbox, removePodSandbox, createContainer, startContainer } = RuntimeService.method;
const { execSync } = RuntimeService.method;

/** More than the agent keeps of an output that nobody acknowledges. */
const MORE_THAN_KEPT = 1_500_000;
/** Only what hangs takes so long. */
const PATIENT = { timeout: 60_000 };

let home: TestHome;
let client: CriClient;
let directory: string;
let pod: string;
let id: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-execs-'));
  home = new TestHome();
  home.cri = join(directory, 'cri.sock');
  home.trust.rules = [allow('**')];
  await home.start();
  client = new CriClient(home.cri);
});
beforeEach(async () => {
  const metadata = { name: 'pod', uid: 'uid', namespace: 'default', attempt: 0 };
  pod = (await client.call(runPodSandbox, { config: { metadata } })).podSandboxId;
  const config = {
    ...{ metadata: { name: 'app', attempt: 0 }, image: { image: 'busybox' } },
    command: ['sleep', 'infinity'],
  };
  id = (await client.call(createContainer, { podSandboxId: pod, config })).containerId;
  await client.call(startContainer, { containerId: id });
});
afterEach(async () => {
  await client.call(removePodSandbox, { podSandboxId: pod });
});
afterAll(async () => {
  client?.close();
  await home?.remove();
  rmSync(directory, { recursive: true, force: true });
});

/** The ids of the processes that the agent knows of the container. */
const processes = () =>
  home.agents
    .get(pod)
    ?.containers.all.get(id)
    ?.describe()
    .processes.map((process) => process.id);
const running = () => home.runtime.runningPods.expect(pod);

/** Starts a program that nobody follows, as an earlier server leaves it. */
async function left(execId: string, args: readonly string[]): Promise<void> {
  const { definition } = home.runtime.pods.expectContainer(id);
  const process = execProcess(definition, args, { terminal: false, stdin: false });
  await (await running().guest()).container(id).startProcess(execId, process);
}

describe('a server that starts again', () => {
  it('reads execs of an earlier server until they end, and has them forgotten then', async () => {
    await left('0a', ['bytes', String(MORE_THAN_KEPT)]);
    await left('0b', ['sleep', 'infinity']);
    await home.crash();
    expect(processes()).toEqual(['main', '0a', '0b']);
    await home.start();
    await expect.poll(processes, PATIENT).toEqual(['main', '0b']);
  });

  it('kills programs whose timeout an earlier server measured', async () => {
    const asked = client.call(execSync, { containerId: id, cmd: ['sleep', 'infinity'] });
    asked.catch(() => undefined);
    await expect.poll(() => processes()?.length, PATIENT).toBe(2);
    await home.crash();
    await expect(asked).rejects.toThrow();
    expect(processes()).toHaveLength(2);
    await home.start();
    await expect.poll(processes, PATIENT).toEqual(['main']);
  });

  it('leaves alone what it follows itself', async () => {
    const own = client.call(execSync, { containerId: id, cmd: ['sleep', 'infinity'] });
    own.catch(() => undefined);
    await expect.poll(() => processes()?.length, PATIENT).toBe(2);
    const before = processes();
    await left('sync0', ['sleep', 'infinity']);
    await drainExecs(home.runtime, running(), id);
    expect(processes()).toEqual(before);
  });
});

describe('a server that loses the connection to a guest', () => {
  it('kills a program that ends with its caller', async () => {
    const asked = client.call(execSync, { containerId: id, cmd: ['sleep', 'infinity'] });
    asked.catch(() => undefined);
    await expect.poll(() => processes()?.length, PATIENT).toBe(2);
    home.agents.get(pod)?.disconnect();
    await expect(asked).rejects.toThrow();
    await expect.poll(processes, PATIENT).toEqual(['main']);
    await expect.poll(() => [...running().execs], PATIENT).toEqual([]);
  });

  it('reads what a client was connected with until it ends', async () => {
    let seen = 0;
    const gone = new AbortController().signal;
    const asked = execAttached(
      home.runtime,
      id,
      { args: ['bytes', String(MORE_THAN_KEPT)], stdin: false, terminal: false },
      {
        ...{ input: nothing(), sizes: nothing(), gone },
        write: async (_, { length }) => {
          if (seen === 0) home.agents.get(pod)?.disconnect();
          seen += length;
        },
      },
    );
    await expect(asked).rejects.toThrow();
    expect(seen).toBeLessThan(MORE_THAN_KEPT);
    await expect.poll(processes, PATIENT).toEqual(['main']);
    await expect.poll(() => [...running().execs], PATIENT).toEqual([]);
  });
});

async function* nothing(): AsyncGenerator<never> {
  // Neither input nor sizes come.
}
