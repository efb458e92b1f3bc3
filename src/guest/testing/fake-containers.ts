/**
 * The containers of a fake agent whose guest has a pod: to each belongs what a box has, below
 * another path.
 *
 * @module
 */
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { ContainerSpec, PodSpec } from '@a3s-box/policies';
import type { GuestState } from '../protocol.ts';
import { json, readJson } from './fake-agent-streams.ts';
import { FakeRefusal } from './fake-refusal.ts';

const DOCUMENT_BYTES = 4 * 1024 * 1024;
const PATH = /^\/v1\/containers\/([a-z0-9]{1,64})(\/.*)?$/;

/** The part of a fake agent that a container is. */
export interface FakeContainerAgent {
  describe(): GuestState;
  takeContainer(spec: ContainerSpec, bytes: Buffer): string;
  answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void;
  kill(): void;
}

export class FakeContainers<Agent extends FakeContainerAgent> {
  /** The spec as it was taken. */
  pod: PodSpec | undefined;
  /** By their ids. */
  readonly all = new Map<string, Agent>();
  /** The specs of all containers that there were, by their ids. */
  readonly specs = new Map<string, ContainerSpec>();
  readonly #make: () => Agent;

  constructor(make: () => Agent) {
    this.#make = make;
  }

  async takePod(stream: ServerHttp2Stream, digestOf: (bytes: Buffer) => string): Promise<void> {
    const { value, bytes } = await readJson(stream, PodSpec, DOCUMENT_BYTES);
    this.pod = value;
    json(stream, 200, { spec: digestOf(bytes) });
  }

  list(stream: ServerHttp2Stream): void {
    const containers = [...this.all].map(([id, agent]) => ({ id, ...agent.describe() }));
    json(stream, 200, { containers });
  }

  /** Whether the path is that of a container, or below it. */
  has(path: string): boolean {
    return PATH.test(path);
  }

  async answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    const path = String(headers[':path']);
    const [, id = '', rest] = PATH.exec(path) ?? [];
    if (this.pod === undefined) throw new FakeRefusal('conflict', 'the guest has no pod');
    const agent = this.all.get(id);
    if (rest !== undefined) {
      if (agent === undefined) throw new FakeRefusal('not-found', `no container ${id}`);
      return agent.answer(stream, { ...headers, ':path': `/v1${rest}` });
    }
    switch (headers[':method']) {
      case 'PUT':
        return await this.#put(stream, id);
      case 'DELETE':
        if (agent === undefined) throw new FakeRefusal('not-found', `no container ${id}`);
        agent.kill();
        this.all.delete(id);
        return json(stream, 204);
      default:
        throw new FakeRefusal('not-found', `no route ${path}`);
    }
  }

  /** As the end of the VM does. */
  kill(): void {
    for (const agent of this.all.values()) agent.kill();
  }

  async #put(stream: ServerHttp2Stream, id: string): Promise<void> {
    if (this.all.has(id)) throw new FakeRefusal('conflict', `${id} is in use`);
    const agent = this.#make();
    this.all.set(id, agent);
    const { value, bytes } = await readJson(stream, ContainerSpec, DOCUMENT_BYTES);
    this.specs.set(id, value);
    json(stream, 200, { spec: agent.takeContainer(value, bytes) });
  }
}
