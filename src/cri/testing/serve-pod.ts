/**
 * A server of CRI over fakes, with one pod for each test.
 *
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { TestHome } from '../../server/testing/home.ts';
import { allow } from '../../server/testing/signed-images.ts';
import { RuntimeService } from '../grpc/library.ts';
import { CriClient } from './cri-client.ts';

const { runPodSandbox, removePodSandbox, createContainer, startContainer } = RuntimeService.method;
const { stopContainer, removeContainer, containerStatus } = RuntimeService.method;

const METADATA = { name: 'pod', uid: 'uid', namespace: 'default', attempt: 0 };

export class ServedPod {
  readonly directory = mkdtempSync(join(tmpdir(), 'a3s-cri-'));
  readonly home = new TestHome();
  /** The id of the pod of the present test. */
  id = '';
  #client: CriClient | undefined;

  get client(): CriClient {
    if (this.#client === undefined) throw new Error('the server was not started');
    return this.#client;
  }

  async start(): Promise<void> {
    this.home.cri = join(this.directory, 'cri.sock');
    this.home.trust.rules = [allow('**')];
    await this.home.start();
    this.#client = new CriClient(this.home.cri);
  }

  async end(): Promise<void> {
    this.#client?.close();
    await this.home.remove();
    rmSync(this.directory, { recursive: true, force: true });
  }

  async run(config: object = {}): Promise<string> {
    const asked = { config: { metadata: METADATA, ...config } };
    return (await this.client.call(runPodSandbox, asked)).podSandboxId;
  }

  async removePod(podSandboxId = this.id): Promise<void> {
    await this.client.call(removePodSandbox, { podSandboxId });
  }

  async create(
    name: string,
    command: readonly string[] = ['sleep', 'infinity'],
    more: object = {},
  ): Promise<string> {
    const config = {
      metadata: { name, attempt: 0 },
      image: { image: 'busybox', userSpecifiedImage: 'busybox:latest' },
      command: [...command],
      ...more,
    };
    return (await this.client.call(createContainer, { podSandboxId: this.id, config })).containerId;
  }

  async startContainer(containerId: string): Promise<void> {
    await this.client.call(startContainer, { containerId });
  }

  /** One that was created and started. */
  async started(
    name: string,
    command: readonly string[] = ['sleep', 'infinity'],
    more: object = {},
  ): Promise<string> {
    const id = await this.create(name, command, more);
    await this.startContainer(id);
    return id;
  }

  async stop(containerId: string, timeout = 10n): Promise<void> {
    await this.client.call(stopContainer, { containerId, timeout });
  }

  async remove(containerId: string): Promise<void> {
    await this.client.call(removeContainer, { containerId });
  }

  async statusOf(containerId: string) {
    return (await this.client.call(containerStatus, { containerId })).status;
  }

  async stateOf(containerId: string) {
    return (await this.statusOf(containerId))?.state;
  }

  /** The containers of its fake agent. */
  get guest() {
    return this.home.agents.get(this.id)?.containers;
  }

  get disks() {
    return this.home.host.vm(this.id)?.diskSets;
  }
}

export function servePod(): ServedPod {
  const pod = new ServedPod();
  beforeAll(() => pod.start());
  beforeEach(async () => {
    pod.id = await pod.run();
  });
  afterEach(() => pod.removePod());
  afterAll(() => pod.end());
  return pod;
}
