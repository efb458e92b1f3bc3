import { CONTAINER_SPEC_SCHEMA, ContainerSpec, POD_SPEC_SCHEMA, PodSpec } from '@a3s-box/policies';
import { expect, it } from 'vitest';
import type * as z from 'zod';
import { Guest } from './guest.ts';
import { GuestContainer } from './guest-container.ts';
import type { GuestConnection, RequestConnection } from './http2-connection.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

const spec: ContainerSpec = {
  schema: CONTAINER_SPEC_SCHEMA,
  rootfs: { layers: [{ serial: 'c1-l0' }], changes: { kind: 'memory' }, readonly: false },
  process: { args: ['sh'], env: [], cwd: '/', user: '', terminal: false, stdin: false },
  mounts: [],
  confinement: {
    ...{ capabilities: [], noNewPrivileges: true, seccomp: 'default' },
    ...{ maskedPaths: [], readonlyPaths: [] },
  },
  resources: {},
};

const pod: PodSpec = {
  schema: POD_SPEC_SCHEMA,
  hostname: 'pod1',
  network: { kind: 'none' },
  resources: {},
};

/** Notes what is asked, and answers each request with the same document. */
class Recorder implements RequestConnection {
  readonly version: number;
  readonly asked: string[] = [];
  body: unknown;
  answer: unknown;

  constructor(version = 12) {
    this.version = version;
  }

  async call<T>(method: string, path: string, body: unknown, schema: z.ZodType<T>): Promise<T> {
    this.asked.push(`${method} ${path}`);
    this.body = body;
    return schema.parse(this.answer);
  }

  open(method: string, path: string): never {
    throw new Error(`${method} ${path} is opened`);
  }

  async openInOrder(method: string, path: string): Promise<never> {
    throw new Error(`${method} ${path} is opened`);
  }
}

it('puts the requests of a box below the path of the container', async () => {
  const connection = new Recorder();
  const container = new GuestContainer(connection, 'c1');
  connection.answer = { spec: DIGEST };
  expect(await container.put(spec)).toBe(DIGEST);
  connection.answer = undefined;
  await container.signal('main', 'SIGTERM');
  await container.putResources({ pids: 3 });
  await container.remove();
  expect(connection.asked).toEqual([
    'PUT /v1/containers/c1',
    'POST /v1/containers/c1/processes/main/signal',
    'PUT /v1/containers/c1/resources',
    'DELETE /v1/containers/c1',
  ]);
  await expect(container.output('main', 7)).rejects.toThrow(
    'POST /v1/containers/c1/processes/main/output?offset=7 is opened',
  );
  expect(() => container.stdin('main')).toThrow(
    'PUT /v1/containers/c1/processes/main/stdin is opened',
  );
});

it('refuses an id that would name another route', () => {
  for (const id of ['', 'a/b', '../x', 'A', 'a'.repeat(65)]) {
    expect(() => new GuestContainer(new Recorder(), id)).toThrow();
  }
});

it('lists the containers of a pod, and refuses an agent that knows no pods', async () => {
  const connection = new Recorder();
  const guest = new Guest(connection as unknown as GuestConnection);
  connection.answer = { containers: [{ id: 'c1', spec: null, processes: [] }] };
  expect(await guest.containers()).toEqual([{ id: 'c1', spec: null, processes: [] }]);
  connection.answer = { spec: DIGEST };
  expect(await guest.putPod(pod)).toBe(DIGEST);
  expect(guest.container('c1').id).toBe('c1');
  expect(connection.asked).toEqual(['GET /v1/containers', 'PUT /v1/pod']);
  const older = new Guest(new Recorder(11) as unknown as GuestConnection);
  await expect(older.putPod(pod)).rejects.toMatchObject({ code: 'agent-failed' });
  await expect(older.containers()).rejects.toMatchObject({ code: 'agent-failed' });
  expect(() => older.container('c1')).toThrow('speaks protocol 11: pods came with protocol 12');
});

it('sends the IPv6 of a pod to agents that give it, and all else to those before', async () => {
  const nic: Extract<PodSpec['network'], { kind: 'nic' }> = {
    kind: 'nic',
    ...{ mac: '02:00:00:00:00:02', mtu: 1500, address: '10.0.0.2', prefixLength: 24 },
    ...{ gateway: '10.0.0.1', nameservers: [], search: [] },
  };
  const ipv6 = { address: 'fd00::2', prefixLength: 64, router: 'fe80::1', routerMac: nic.mac };
  const sent = async (version: number, network: PodSpec['network']) => {
    const connection = new Recorder(version);
    connection.answer = { spec: DIGEST };
    const guest = new Guest(connection as unknown as GuestConnection);
    await guest.putPod({ ...pod, network });
    return [guest.givesPodsIpv6, connection.body];
  };
  const dual = { ...nic, ipv6 };
  expect(PodSpec.parse({ ...pod, network: dual })).toEqual({ ...pod, network: dual });
  expect(await sent(22, dual)).toEqual([true, { ...pod, network: dual }]);
  expect(await sent(21, dual)).toEqual([false, { ...pod, network: nic }]);
  expect(await sent(21, nic)).toEqual([false, { ...pod, network: nic }]);
  expect(await sent(21, { kind: 'none' })).toEqual([false, pod]);
});

it('reads in specs of pod and container what the agent reads', () => {
  expect(PodSpec.parse(pod)).toEqual(pod);
  expect(ContainerSpec.parse(spec)).toEqual(spec);
  const disk = { kind: 'disk', serial: 'v', destination: '/v', readonly: false };
  expect(ContainerSpec.safeParse({ ...spec, mounts: [disk] }).success).toBe(false);
  expect(ContainerSpec.safeParse({ ...spec, hostname: 'x' }).success).toBe(false);
  expect(PodSpec.safeParse({ ...pod, resources: { ulimits: [] } }).success).toBe(false);
  expect(PodSpec.safeParse({ ...pod, privileged: true }).success).toBe(true);
});

it('asks no guest to share a PID namespace whose agent is older than that', async () => {
  const older = new GuestContainer(new Recorder(15), 'c1');
  await expect(older.put({ ...spec, pids: { kind: 'pod' } })).rejects.toThrow(
    'speaks protocol 15: PID namespaces that are shared came with protocol 16',
  );
});
