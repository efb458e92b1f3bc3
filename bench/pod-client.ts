/**
 * Pods of a runtime, by CRI.
 *
 * @module
 */
import { NamespaceMode } from '../src/cri/api/enums.ts';
import { RuntimeService } from '../src/cri/grpc/library.ts';
import type { CriClient } from '../src/cri/testing/cri-client.ts';

const { runPodSandbox, stopPodSandbox, removePodSandbox } = RuntimeService.method;
const { createContainer, startContainer } = RuntimeService.method;

export class PodClient {
  readonly #client: CriClient;
  readonly #image: string;
  readonly #linux: { readonly cgroupParent?: string };
  #number = 0;

  /** @param image what containers are of */
  constructor(client: CriClient, image: string, linux: { readonly cgroupParent?: string } = {}) {
    this.#client = client;
    this.#image = image;
    this.#linux = linux;
  }

  /** A pod with a container whose program runs. */
  async start(): Promise<string> {
    const { config, podSandboxId } = await this.#run();
    await this.#add(podSandboxId, config, 'first');
    return podSandboxId;
  }

  /** The time of a further container, in milliseconds. */
  async more(podSandboxId: string, name: string): Promise<number> {
    const config = { metadata: { name: 'pod', uid: 'uid', namespace: 'bench', attempt: 0 } };
    const started = performance.now();
    await this.#add(podSandboxId, config, name);
    return performance.now() - started;
  }

  async remove(podSandboxId: string): Promise<void> {
    await this.#client.call(stopPodSandbox, { podSandboxId });
    await this.#client.call(removePodSandbox, { podSandboxId });
  }

  async #run() {
    this.#number += 1;
    const uid = `bench-${this.#number}`;
    const config = {
      ...{ metadata: { name: uid, uid, namespace: 'bench', attempt: 0 }, hostname: uid },
      linux: this.#linux,
    };
    return { config, ...(await this.#client.call(runPodSandbox, { config })) };
  }

  async #add(podSandboxId: string, sandboxConfig: object, name: string): Promise<void> {
    const config = {
      ...{ metadata: { name, attempt: 0 }, image: { image: this.#image } },
      command: ['sleep', '100000'],
      // As kubelet has it.
      linux: { securityContext: { namespaceOptions: { pid: NamespaceMode.CONTAINER } } },
    };
    const asked = { podSandboxId, config, sandboxConfig };
    const { containerId } = await this.#client.call(createContainer, asked);
    await this.#client.call(startContainer, { containerId });
  }
}
