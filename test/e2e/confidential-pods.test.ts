/**
 * Confidential pods of a manifest of Kubernetes, in simulation: what was measured is what runs,
 * whatever its node asks for, and it has its secret after a kill of the server.
 *
 * @module
 */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ContainerState, NamespaceMode, Protocol } from '../../src/cri/api/enums.ts';
import { RuntimeService } from '../../src/cri/grpc/library.ts';
import { CriClient } from '../../src/cri/testing/cri-client.ts';
import { ACTORS, Actor } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { until } from './processes.ts';

const { version, runPodSandbox, removePodSandbox, podSandboxStatus, status } =
  RuntimeService.method;
const { createContainer, startContainer, stopContainer, removeContainer } = RuntimeService.method;
const { containerStatus, execSync, updateContainerResources, portForward, containerStats } =
  RuntimeService.method;

const SECRET = 'a-value-of-the-broker';
/** Of one container alone. */
const PIN = 'a-value-for-web';
const DENIED = 7;
const BRIDGE = 'a3scpods0';
const ADDRESS = '10.214.7.2';
/** Of kubelet's pods and containers. */
const namespaceOptions = { pid: NamespaceMode.CONTAINER };

let installation: Installation;
let actor: Actor;
let socket: string;
let client: CriClient;
let server: ChildProcess | undefined;
let manifest: Record<string, unknown>;

beforeAll(async () => {
  installation = await install();
  actor = new Actor(ACTORS[0] ?? 'ordinary user', installation);
  socket = join(actor.directory, 'cri.sock');
  mkdirSync(path('cni'));
  actor.own(path('cni'));
  await actor.prepare();
  write(
    join(actor.home, 'image-policy.yaml'),
    'images: [{ pattern: "**", allowUnsigned: true, allowUnsignedConfidential: true }]',
  );
  await actor.stopServer();
  await serve();
  const [key, pub] = [path('broker.key'), path('broker.pub')];
  run('openssl', ['genpkey', '-algorithm', 'ed25519', '-out', key]);
  run('openssl', ['pkey', '-in', key, '-pubout', '-out', pub]);
  write(path('token'), SECRET);
  write(path('pin'), PIN);
  write(path('shop.yaml'), shop(pub));
});
afterAll(async () => {
  client?.close();
  await actor?.leave();
  expect(actor?.remains()).toEqual([]);
  installation?.remove();
});

function path(name: string): string {
  return join(actor.directory, name);
}

function write(file: string, text: string): void {
  writeFileSync(file, text, { mode: 0o644 });
  actor.own(file);
}

function run(program: string, args: readonly string[]): void {
  const [first, ...rest] = actor.program(program, args);
  execFileSync(first, rest, { env: actor.env, stdio: 'ignore', cwd: actor.directory });
}

async function serve(): Promise<void> {
  server = actor.start(['serve', '--cri', socket, '--cni-conf-dir', path('cni')]);
  server.stdout?.resume();
  server.stderr?.resume();
  client = new CriClient(socket);
  await until('CRI answers', async () => {
    const answer = await client.call(version, {}).catch(() => undefined);
    return answer?.runtimeName === 'a3s-box';
  });
}

const WEB = 'sha256sum </run/secrets/token >/cache/sum; exec sleep 1000';

const PREPARE = 'test -s /run/secrets/token || exit 1; exit 7';

/** A deployment of two containers, and one that runs before them. */
function shop(key: string): string {
  return `
apiVersion: apps/v1
kind: Deployment
metadata: { name: shop }
spec:
  template:
    metadata:
      annotations:
        dev.a3s.host-may: exec
        dev.a3s.secret.token: from=${key}
        dev.a3s.secret.pin: from=${key}
        dev.a3s.container-secrets.db: token
        dev.a3s.container-secrets.web: token,pin
        dev.a3s.deployment: shop
        example.org/note: kept
    spec:
      runtimeClassName: a3s-simulate
      hostname: shop
      automountServiceAccountToken: false
      enableServiceLinks: false
      dnsPolicy: None
      dnsConfig: { nameservers: [9.9.9.9] }
      securityContext: { seccompProfile: { type: RuntimeDefault } }
      initContainers:
        - name: prepare
          image: ${BUSYBOX}
          command: [sh, -c, '${PREPARE}']
          resources: { limits: { memory: 64Mi } }
      containers:
        - name: web
          image: ${BUSYBOX}
          command: [sh, -c, '${WEB}']
          env: [{ name: GREETING, value: hello }]
          resources: { limits: { memory: 64Mi } }
          volumeMounts: [{ name: cache, mountPath: /cache }]
        - name: db
          image: ${BUSYBOX}
          command: [sleep, '1000']
          resources: { limits: { memory: 64Mi } }
      volumes:
        - name: cache
          emptyDir: { sizeLimit: 1Mi }
`;
}

/** What kubelet asks for, with all that it adds by itself. */
function config(name: string, command: readonly string[], more: object = {}) {
  const kubernetes = { key: 'KUBERNETES_SERVICE_HOST', value: Buffer.from('10.96.0.1') };
  const greeting = { key: 'GREETING', value: Buffer.from('hello') };
  const mounted = (containerPath: string) => ({ hostPath: '/tmp', containerPath });
  return {
    metadata: { name, attempt: 0 },
    image: { image: BUSYBOX, runtimeHandler: 'a3s-simulate' },
    command: [...command],
    envs: name === 'web' ? [kubernetes, greeting] : [kubernetes],
    mounts: [
      ...['/etc/hosts', '/dev/termination-log', ...(name === 'web' ? ['/cache'] : [])].map(mounted),
    ],
    linux: {
      resources: { memoryLimitInBytes: 2n ** 26n, cpuShares: 2n, oomScoreAdj: 1000n },
      securityContext: {
        namespaceOptions,
        runAsUser: { value: 0n },
        seccomp: { profileType: 0 },
        maskedPaths: ['/proc/kcore'],
        readonlyPaths: ['/proc/sys'],
      },
    },
    ...more,
  };
}

async function started(podSandboxId: string, asked: ReturnType<typeof config>): Promise<string> {
  const { containerId } = await client.call(createContainer, { podSandboxId, config: asked });
  await client.call(startContainer, { containerId });
  return containerId;
}

const exec = async (containerId: string, script: string) => {
  const { stdout } = await client.call(execSync, { containerId, cmd: ['sh', '-c', script] });
  return Buffer.from(stdout).toString();
};

async function freePort(): Promise<number> {
  const listening = createServer();
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  const address = listening.address();
  await new Promise((resolve) => listening.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function annotationsOf(document: Record<string, unknown>): Record<string, string> {
  const { spec } = document as { spec: { template: { metadata: { annotations: object } } } };
  return { ...spec.template.metadata.annotations } as Record<string, string>;
}

it('runs the containers of a manifest that was measured, refuses others, and proves it to a verifier', async () => {
  const outputs = ['--policy-out', path('policy.yaml'), '--pod-out', path('pod.json')];
  await actor.ok(['pod', 'measure', '--tee', 'simulate', ...outputs, path('shop.yaml')]);
  manifest = JSON.parse(readFileSync(path('pod.json'), 'utf8')) as Record<string, unknown>;
  const annotations = annotationsOf(manifest);
  expect(Object.keys(annotations).sort()).toEqual(['dev.a3s.launch-spec', 'example.org/note']);

  const port = await freePort();
  const metadata = { name: 'shop-1', uid: 'uid', namespace: 'default', attempt: 0 };
  const pod = {
    ...{ metadata, annotations, hostname: 'shop', dnsConfig: { servers: ['9.9.9.9'] } },
    linux: {
      resources: { memoryLimitInBytes: 2n ** 27n },
      securityContext: { namespaceOptions },
    },
    portMappings: [
      { protocol: Protocol.TCP, containerPort: 4433, hostPort: port, hostIp: '127.0.0.1' },
    ],
  };
  const runtimeHandler = 'a3s-simulate';
  const { podSandboxId } = await client.call(runPodSandbox, { config: pod, runtimeHandler });
  const { info } = await client.call(podSandboxStatus, { podSandboxId, verbose: true });
  expect(JSON.parse(info['info'] ?? '')).toMatchObject({
    ...{ vm: { start: 'cold' }, config: { tee: 'simulated' } },
    launch: { measurement: expect.stringMatching(/^[0-9a-f]{96}$/) },
  });

  const web = await started(podSandboxId, config('web', ['sh', '-c', WEB]));
  const db = await started(podSandboxId, config('db', ['sleep', '1000']));
  // Neither a container that was not named, nor one that is another.
  const others = [
    [config('miner', ['sleep', '1']), 'names no container "miner"'],
    [config('web', ['sh', '-c', 'cat /run/secrets/token']), 'containers.process.args'],
    [
      config('db', ['sleep', '1000'], { envs: [{ key: 'LD_PRELOAD', value: Buffer.from('/x') }] }),
      'containers.process.env',
    ],
    [
      config('db', ['sleep', '1000'], {
        mounts: [{ hostPath: '/tmp', containerPath: '/var/run/secrets' }],
      }),
      'containers.ignoredMounts',
    ],
  ] as const;
  for (const [asked, rule] of others) {
    const attempt = { ...asked, metadata: { ...asked.metadata, attempt: 9 } };
    await expect(
      client.call(createContainer, { podSandboxId, config: attempt }),
    ).rejects.toMatchObject({ code: DENIED, details: expect.stringContaining(rule) });
  }
  const shared = config('db', ['sleep', '1000'], { linux: {} });
  await expect(client.call(createContainer, { podSandboxId, config: shared })).rejects.toThrow(
    'a PID namespace that is shared',
  );
  await expect(
    client.call(updateContainerResources, { containerId: db, linux: { memoryLimitInBytes: 1n } }),
  ).rejects.toThrow('the limits');
  await expect(client.call(portForward, { podSandboxId, port: [80] })).rejects.toThrow(
    'forward ports',
  );
  const counted = await client.call(containerStats, { containerId: db });
  expect(counted.stats?.memory).toBeUndefined();

  // The verifier asks the guest itself, and believes nothing of the node.
  const trust = ['--policy', path('policy.yaml'), '--allow-simulated'];
  const verdict = await actor.ok(['attest', 'box', ...trust, `127.0.0.1:${port}`]);
  expect(verdict).toContain('Accepted as a SIMULATED box');
  expect(verdict).toMatch(
    /container db +sha256:[0-9a-f]{64}\n +container prepare +sha256:[0-9a-f]{64}\n +container web +sha256:/,
  );

  expect(verdict).toMatch(
    / secrets +pin, token\n +for db +token\n +for prepare +all\n +for web +pin, token\n/,
  );

  client.close();
  await actor.killServer();
  await serve();
  const key = ['--key', path('broker.key')];
  await actor.ok([
    ...['inject-secret', ...trust, ...key, `127.0.0.1:${port}`, `token=@${path('token')}`],
    `pin=@${path('pin')}`,
  ]);
  const digest = execFileSync('sha256sum', { input: SECRET, encoding: 'utf8' });
  await until('the workload has its secret', async () => {
    const found = await exec(web, 'cat /cache/sum').catch(() => '');
    return found === digest;
  });
  expect(await exec(web, 'echo $GREETING $KUBERNETES_SERVICE_HOST; hostname')).toBe(
    'hello 10.96.0.1\nshop\n',
  );
  expect(await exec(db, 'cat /run/secrets/token; stat -c %a /run/secrets/token')).toBe(
    `${SECRET}400\n`,
  );
  // Each has the secrets that its launch spec names.
  expect(await exec(web, 'cat /run/secrets/pin')).toBe(PIN);
  expect(await exec(db, 'ls -A /run/secrets')).toBe('token\n');
  // Root of one container sees no process of another, and so none of its files and variables.
  const foreign = (what: string) => exec(db, `cat /proc/[0-9]*/${what} 2>/dev/null; echo end`);
  expect(await foreign('root/run/secrets/pin')).toBe('end\n');
  expect(await foreign('root/run/secrets/token')).toMatch(new RegExp(`^(${SECRET})+end\n$`));
  expect(await foreign('environ')).not.toContain('GREETING');
  expect(await exec(web, 'cat /proc/1/environ')).toContain('GREETING');

  // Kubelet starts it again under another number.
  await client.call(stopContainer, { containerId: db, timeout: 0n });
  const ended = (await client.call(containerStatus, { containerId: db })).status;
  expect(ended?.state).toBe(ContainerState.CONTAINER_EXITED);
  await client.call(removeContainer, { containerId: db });
  const asked = config('db', ['sleep', '1000']);
  const again = await started(podSandboxId, { ...asked, metadata: { name: 'db', attempt: 1 } });
  await until('it has the secret again', async () => {
    const found = await exec(again, 'cat /run/secrets/token').catch(() => '');
    return found === SECRET;
  });
  expect(await exec(again, 'ls -A /run/secrets')).toBe('token\n');
  // One that runs before others ends, and runs again under the same name.
  for (const attempt of [0, 1]) {
    const first = config('prepare', ['sh', '-c', PREPARE]);
    const metadata = { name: 'prepare', attempt };
    const containerId = await started(podSandboxId, { ...first, metadata });
    await until('it has ended', async () => {
      const { status } = await client.call(containerStatus, { containerId });
      return status?.state === ContainerState.CONTAINER_EXITED && status.exitCode === 7;
    });
  }
  await client.call(removePodSandbox, { podSandboxId });
  // Another microVM may be there, of which the server makes the template of plain pods.
  const left = actor.boxProcesses().map(({ commandLine }) => commandLine);
  expect(left.filter((line) => line.includes(podSandboxId.slice(0, 12)))).toEqual([]);
});

it('runs no confidential pod that is asked for otherwise, or by hardware that the node lacks', async () => {
  const metadata = { name: 'other', uid: 'uid', namespace: 'default', attempt: 0 };
  const annotations = annotationsOf(manifest);
  const linux = { securityContext: { namespaceOptions } };
  const pod = {
    ...{ metadata, annotations, hostname: 'shop', dnsConfig: { servers: ['9.9.9.9'] } },
    linux,
  };
  const refused = async (change: object, why: string, runtimeHandler = 'a3s-simulate') =>
    await expect(
      client.call(runPodSandbox, { config: { ...pod, ...change }, runtimeHandler }),
    ).rejects.toThrow(why);
  await refused({ hostname: 'shop-7d9f' }, 'its launch spec says "shop"');
  await refused({ dnsConfig: { servers: ['10.96.0.10'] } }, 'dns_config.servers');
  await refused({ annotations: {} }, 'it is missing');
  const resources = { memoryLimitInBytes: 2n ** 27n - 1n };
  await refused({ linux: { ...linux, resources } }, 'linux.resources.memory_limit_in_bytes');
  await refused({ linux: {} }, 'linux.security_context.namespace_options.pid POD');
  await refused(
    { annotations: { ...annotations, 'dev.a3s.host-may': 'exec' } },
    'dev.a3s.host-may',
  );
  await refused(
    { annotations: { ...annotations, 'dev.a3s.container-secrets.db': 'pin' } },
    'dev.a3s.container-secrets.db',
  );
  await refused({ annotations: { 'dev.a3s.launch-spec': 'AAAA' } }, 'gzip');
  await refused({}, 'for the handlers a3s-snp and a3s-simulate', 'a3s');
  await refused({}, 'this node has no SEV-SNP', 'a3s-snp');
  const { runtimeHandlers } = await client.call(status, {});
  expect(runtimeHandlers.map(({ name }) => name)).toEqual(['', 'a3s', 'a3s-snp', 'a3s-simulate']);
});

it.runIf(process.getuid?.() === 0)(
  'leads what comes to an address of the node’s network to its guest, which knows nothing of it',
  async () => {
    const cni = {
      ...{ cniVersion: '1.0.0', name: 'pods', type: 'bridge', bridge: BRIDGE, isGateway: true },
      ...{ mtu: 1400 },
      ipam: {
        ...{ type: 'host-local', dataDir: path('ipam'), subnet: '10.214.7.0/24' },
        routes: [{ dst: '0.0.0.0/0' }],
      },
    };
    write(path('cni/10-pods.conf'), JSON.stringify(cni));
    const metadata = { name: 'shop-2', uid: 'uid', namespace: 'default', attempt: 0 };
    const annotations = annotationsOf(manifest);
    const pod = {
      ...{ metadata, annotations, hostname: 'shop', dnsConfig: { servers: ['9.9.9.9'] } },
      linux: { securityContext: { namespaceOptions } },
    };
    const runtimeHandler = 'a3s-simulate';
    const { podSandboxId } = await client.call(runPodSandbox, { config: pod, runtimeHandler });
    const found = await client.call(podSandboxStatus, { podSandboxId });
    expect(found.status?.network).toMatchObject({ ip: ADDRESS });

    // The same policy: the network is in no launch spec.
    const trust = ['--policy', path('policy.yaml'), '--allow-simulated'];
    const web = await started(podSandboxId, config('web', ['sh', '-c', WEB]));
    client.close();
    await actor.killServer();
    await serve();
    const key = ['--key', path('broker.key')];
    await actor.ok([
      ...['inject-secret', ...trust, ...key, `${ADDRESS}:4433`, `token=@${path('token')}`],
      `pin=@${path('pin')}`,
    ]);
    await until('the workload runs', async () => {
      return (await exec(web, 'cat /cache/sum').catch(() => '')) !== '';
    });
    expect(await exec(web, 'cat /etc/resolv.conf; ip -4 addr show eth0')).toMatch(
      /9\.9\.9\.9\n[\s\S]*inet 10\.0\.2\.15\//,
    );
    // More than the network's packets hold, which are smaller than the guest's.
    const MUCH = 3_000_000;
    await exec(web, `(head -c ${MUCH} /dev/zero | nc -l -p 80) >/dev/null 2>&1 &`);
    await until('the port leads to the workload', async () => {
      return (await bytesOf(connect(80, ADDRESS))) === MUCH;
    });
    const node = createServer().listen(0, '10.214.7.1');
    await once(node, 'listening');
    const address = node.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const connected = once(node, 'connection') as Promise<[Socket]>;
    const sent = exec(web, `head -c ${MUCH} /dev/zero | nc 10.214.7.1 ${port}`);
    const [came] = await connected;
    expect(came.remoteAddress).toBe(ADDRESS);
    expect(await bytesOf(came)).toBe(MUCH);
    node.close();
    await sent;
    await client.call(removePodSandbox, { podSandboxId });
    execFileSync('ip', ['link', 'delete', BRIDGE]);
  },
  300_000,
);

/** How much comes until the end; 0 where nothing listens. */
async function bytesOf(from: Socket): Promise<number> {
  let count = 0;
  from.on('data', (piece: Buffer) => {
    count += piece.length;
  });
  from.on('error', () => undefined);
  await new Promise((resolve) => from.once('close', resolve));
  return count;
}
