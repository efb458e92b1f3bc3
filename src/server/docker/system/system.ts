/**
 * The routes about the server itself.
 *
 * @module
 */
import { hostname, release } from 'node:os';
import type { Runtime } from '../../../boxes/runtime.ts';
import { Info, Version } from '../../../docker-api/system/system.ts';
import { json } from '../../http/answer.ts';
import { TEXT } from '../../http/replies.ts';
import { type Route, route } from '../../http/route.ts';
import { API_VERSION, MIN_API_VERSION, VERSION } from '../../version.ts';
import { dockerStatus } from '../containers/inspect/show.ts';
import { networkWarnings } from '../networks/network-warnings.ts';
import { noBody, query } from '../query.ts';

const access = 'owner';

const PING = {
  kind: 'text',
  status: 200,
  body: 'OK',
  headers: {
    'Cache-Control': 'no-cache, no-store, must-revalidate',
    Pragma: 'no-cache',
    // BuildKit.
    'Builder-Version': '2',
    Swarm: 'inactive',
  },
} as const;

type InfoHost = Pick<Runtime, 'home' | 'host' | 'store' | 'images' | 'events' | 'networks'>;

export const SYSTEM_ROUTES: readonly Route<InfoHost>[] = [
  // The same route answers HEAD, which Docker's CLI sends.
  route('GET', '/_ping', {
    access,
    summary: 'Ping the server',
    query: query({}),
    body: noBody,
    answers: { 200: TEXT },
    handler: () => PING,
  }),
  route('GET', '/version', {
    access,
    summary: 'Get the version of this server',
    answers: { 200: Version },
    query: query({}),
    body: noBody,
    handler: (_, rt) => json(versionOf(rt)),
  }),
  route('GET', '/info', {
    access,
    summary: 'Get system information',
    answers: { 200: Info },
    query: query({}),
    body: noBody,
    handler: async (_, rt) => json(await infoOf(rt)),
  }),
];

function versionOf({ host }: Pick<Runtime, 'host'>): Version {
  const details = {
    ApiVersion: API_VERSION,
    Arch: host.architecture,
    KernelVersion: release(),
    MinAPIVersion: MIN_API_VERSION,
    Os: 'linux' as const,
    Node: process.version,
  };
  return {
    Platform: { Name: 'A3S Box' },
    Components: [
      { Name: 'Engine', Version: VERSION, Details: { ...details, Experimental: 'false' } },
    ],
    Version: VERSION,
    ...details,
    GitCommit: '',
    GoVersion: '',
    BuildTime: '',
  };
}

async function infoOf(rt: InfoHost): Promise<Info> {
  const boxes = rt.store.list();
  const count = (...statuses: readonly string[]): number =>
    boxes.filter(({ state }) => statuses.includes(dockerStatus(state))).length;
  const paused = count('paused');
  // As Docker counts: a box that its policy starts again has not stopped.
  const running = count('running', 'restarting');
  return {
    ID: rt.home,
    Containers: boxes.length,
    ContainersRunning: running,
    ContainersPaused: paused,
    ContainersStopped: boxes.length - running - paused,
    Images: (await rt.images.list()).length,
    Driver: 'erofs',
    DriverStatus: [],
    Plugins: {
      Volume: [],
      Network: ['bridge', 'null'],
      Authorization: null,
      Log: ['json-file', 'local', 'none'],
    },
    MemoryLimit: true,
    // A guest has no swap.
    SwapLimit: false,
    CpuCfsPeriod: true,
    CpuCfsQuota: true,
    CPUShares: true,
    CPUSet: true,
    PidsLimit: true,
    OomKillDisable: false,
    IPv4Forwarding: true,
    BridgeNfIptables: false,
    BridgeNfIp6tables: false,
    Debug: false,
    NFd: 0,
    NGoroutines: 0,
    NEventsListener: rt.events.listeners,
    SystemTime: new Date().toISOString(),
    LoggingDriver: 'json-file',
    // The host's control groups contain no box. Each guest has its own.
    CgroupDriver: 'none',
    CgroupVersion: '2',
    KernelVersion: release(),
    OperatingSystem: 'A3S Box',
    OSVersion: '',
    OSType: 'linux',
    Architecture: rt.host.architecture === 'amd64' ? 'x86_64' : 'aarch64',
    IndexServerAddress: 'https://index.docker.io/v1/',
    RegistryConfig: null,
    NCPU: rt.host.cpus,
    MemTotal: rt.host.memoryBytes,
    GenericResources: null,
    DockerRootDir: rt.home,
    HttpProxy: '',
    HttpsProxy: '',
    NoProxy: '',
    Name: hostname(),
    Labels: [],
    ExperimentalBuild: false,
    ServerVersion: VERSION,
    Runtimes: { 'a3s-box': { path: 'a3s-box' } },
    DefaultRuntime: 'a3s-box',
    Swarm: { LocalNodeState: 'inactive' },
    LiveRestoreEnabled: true,
    Isolation: '',
    InitBinary: 'a3s-agent',
    SecurityOptions: ['name=seccomp,profile=builtin'],
    Warnings: await networkWarnings(rt),
  };
}
