/**
 * A home with a control server over fakes, for tests. Its VMs keep running in the fake host when
 * the server ends or crashes, and the next server of the home finds them.
 *
 * @module
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { BoxSpec } from '@a3s-box/policies';
import type { AdoptionTiming } from '../../boxes/adopt/adopt.ts';
import type { Trust } from '../../boxes/policy/trust.ts';
import type { BootFiles } from '../../boxes/services/services.ts';
import type { Builders } from '../../build/builder.ts';
import { Dialer } from '../../build/egress/dialer.ts';
import type { Config } from '../../config.ts';
import { FakeEngine, FakeHost } from '../../engine/testing/fake.ts';
import type { FakeGuest } from '../../engine/testing/fake-vm.ts';
import { FakeAgent } from '../../guest/testing/fake-agent.ts';
import type { FakeAgentOptions } from '../../guest/testing/fake-agent-options.ts';
import type { FakeConfidentialOptions } from '../../guest/testing/fake-confidential.ts';
import type { ImageStore } from '../../images/image.ts';
import { FakeHostNetworks } from '../../networks/testing/fake-host-networks.ts';
import { FakePodNetworks } from '../../networks/testing/fake-pod-networks.ts';
import { FakePodMounts } from '../../pods/testing/fake-pod-mounts.ts';
import type { Downloads } from '../../registry/downloads.ts';
import type { Registry } from '../../registry/registry.ts';
import type { Database } from '../../state/database.ts';
import { serve } from '../serve.ts';
import type { ServerRuntime } from '../server-runtime.ts';
import { expectDescribed } from './described.ts';
import { FakeImages, TEST_IMAGE } from './images.ts';
import { FakeTrust, NO_DOWNLOADS, NO_REGISTRY } from './signed-images.ts';

export interface JsonAnswer {
  readonly status: number;
  readonly body: unknown;
  readonly headers: NodeJS.Dict<string | string[]>;
}

export class TestHome {
  readonly config: Config;
  readonly host: FakeHost;
  readonly hostNetworks = new FakeHostNetworks();
  readonly podNetworks = new FakePodNetworks();
  readonly podMounts = new FakePodMounts();
  readonly images: ImageStore;
  readonly trust = new FakeTrust();
  /** Decides in place of `trust`, with cryptography. */
  realTrust: Trust | undefined;
  registry: Registry = NO_REGISTRY;
  downloads: Downloads = NO_DOWNLOADS;
  dialer = new Dialer({ lookup: (name, _, found) => found(new Error(`no ${name} here`), []) });
  /** Nothing is built, unless a test says something else. */
  builders: Builders | undefined;
  /** The agent inside each VM, by the box's id. */
  readonly agents = new Map<string, FakeAgent>();
  agentOptions: FakeAgentOptions = {};
  /** The agents of confidential guests. */
  guestOptions: Partial<FakeConfidentialOptions> = {};
  /** The boot set of boxes. */
  boot: BootFiles = BOOT;
  adoption: AdoptionTiming | undefined;
  /** Servers start in the mode of the host's boot. */
  afterReboot = false;
  /** The socket of CRI, which servers then serve as well. */
  cri: string | undefined;
  /** The host shuts down when the server is ended with `stop`. */
  hostStops = false;
  /** Servers are root's, whose file servers keep owners. */
  keepOwners = true;
  /**
   * What answers on the control stream of the VMs that are launched from now on, in place of their
   * agents.
   */
  takeover: ((agent: FakeAgent, stream: Duplex) => void) | undefined;
  #runtime: ServerRuntime | undefined;
  #stop = new AbortController();
  #served: Promise<void> | undefined;
  #database: Database | undefined;

  /** @param root the directory of a home that is there, or will be; it is removed in the end */
  constructor(
    images: ImageStore = new FakeImages(TEST_IMAGE),
    root: string = mkdtempSync(join(tmpdir(), 'a3s-srv-')),
  ) {
    const runtimeDir = join(root, 'run');
    this.config = {
      home: join(root, 'home'),
      runtimeDir,
      socket: join(runtimeDir, 'server.sock'),
      bootDir: join(root, 'boot'),
      leastJail: 'one-feature',
      startTimeoutMs: 120_000,
      kvmTimeoutMs: 10_000,
      engine: undefined,
      krunLibrary: undefined,
      builder: { directory: '/nowhere', idleMs: 60_000, snapshots: false },
      templates: { enabled: false, max: 8, maxAgeMs: 86_400_000 },
    };
    this.images = images;
    this.host = new FakeHost((vm) => {
      const forkOf = vm.spec.fork === undefined ? undefined : this.#sourceOf(vm);
      const agent = new FakeAgent({
        paused: vm.prepared,
        forkOf,
        confidential: this.#confidentialOf(vm),
        ...this.agentOptions,
      });
      this.agents.set(vm.spec.id, agent);
      void agent.poweredOff.then(() => vm.poweroff());
      const { takeover } = this;
      return (stream) => {
        if (takeover === undefined) agent.serve(stream);
        else takeover(agent, stream);
      };
    });
  }

  /** The processor whose HOST_DATA is the value of the VM's launch. */
  #confidentialOf({ spec }: FakeGuest): FakeConfidentialOptions | undefined {
    if (spec.confidential === undefined) return undefined;
    const { tee, hostData } = spec.confidential;
    return { tee, hostData, ...this.guestOptions };
  }

  /** The box that a fork comes from: the fork's memory records which box saved it. */
  #sourceOf({ spec: { fork } }: FakeGuest): BoxSpec | undefined {
    const text = readFileSync(fork?.ram ?? -1, 'utf8');
    return this.agents.get(text.split(' ').at(-1) ?? '')?.spec;
  }

  /** The runtime of the present server. */
  get runtime(): ServerRuntime {
    if (this.#runtime === undefined) throw new Error('no server was started');
    return this.#runtime;
  }

  /** Starts a server, and waits until it answers. */
  start(): Promise<ServerRuntime> {
    return this.startOn(this.config);
  }

  /** Starts a server on any home. */
  async startOn(config: Config): Promise<ServerRuntime> {
    this.#stop = new AbortController();
    const rt = await new Promise<ServerRuntime>((resolve, reject) => {
      this.#served = serve(config, {
        signal: this.#stop.signal,
        openDependencies: async (database) => {
          this.#database = database;
          return {
            engine: new FakeEngine(this.host),
            images: this.images,
            registry: this.registry,
            downloads: this.downloads,
            dialer: this.dialer,
            builders: this.builders,
            trust: this.realTrust ?? this.trust,
            hostNetworks: this.hostNetworks,
            podNetworks: this.podNetworks,
            podMounts: this.podMounts,
            boot: { current: async (asked) => asked ?? 'set', open: async () => this.boot },
          };
        },
        onReady: resolve,
        adoption: this.adoption,
        afterReboot: this.afterReboot,
        cri: this.cri,
        keepOwners: this.keepOwners,
        hostStops: this.hostStops ? async () => true : undefined,
      });
      this.#served.catch(reject);
    });
    this.#runtime = rt;
    return rt;
  }

  /** Ends the server in order. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#served;
  }

  /** Ends the server as SIGKILL does: it has no effect on the home from here on. */
  async crash(): Promise<void> {
    const { running, runningPods } = this.runtime;
    for (const each of [...running.list(), ...runningPods.list()]) void each.release();
    this.#database?.close();
    this.#stop.abort();
    await this.#served;
  }

  /** Ends everything, and removes the home. */
  async remove(): Promise<void> {
    await this.stop();
    for (const vm of this.host.running) vm.killed();
    for (const agent of this.agents.values()) agent.kill();
    rmSync(join(this.config.home, '..'), { recursive: true, force: true });
  }

  /**
   * One request with a JSON body and a JSON answer, which is checked against the table of routes.
   */
  call(method: string, path: string, body?: unknown): Promise<JsonAnswer> {
    const { socket } = this.config;
    return new Promise((resolve, reject) => {
      const sent = request({ socketPath: socket, method, path, agent: false }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const { statusCode = 0, headers } = response;
          const type = headers['content-type'];
          try {
            expectDescribed(method, path, { status: statusCode, type, text });
          } catch (error) {
            reject(error);
          }
          resolve({ status: statusCode, headers, body: text === '' ? undefined : parse(text) });
        });
      });
      sent.on('error', reject);
      if (body === undefined) sent.end();
      else {
        const text = typeof body === 'string' ? body : JSON.stringify(body);
        sent.setHeader('content-type', 'application/json');
        sent.setHeader('content-length', Buffer.byteLength(text));
        sent.end(text);
      }
    });
  }

  /** Creates a box that runs `args`, and returns its id. */
  async create(args: readonly string[], more: Record<string, unknown> = {}): Promise<string> {
    const answer = await this.call('POST', '/containers/create', {
      Image: 'busybox',
      Cmd: args,
      ...more,
    });
    if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
    return (answer.body as { Id: string }).Id;
  }
}

const BOOT: BootFiles = {
  ...{ kernelPath: '/dev/null', initrdPath: '/dev/null', commandLine: [] },
  confidential: {
    ...{ firmwarePath: '/boot/OVMF.fd', kernelPath: '/boot/bzImage', initrdPath: '/boot/initrd' },
    firmwareDigest: '00'.repeat(32),
    commandLines: { snp: ['a3s.tee=snp'], simulated: ['a3s.tee=simulated'] },
    ...{ vcpuType: 'EPYC-Milan-v2', policy: 0x30000n, launchSpec: 14, modules: ['tun'] },
  },
};

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
