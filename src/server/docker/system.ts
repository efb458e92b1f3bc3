/**
 * The routes that tell about the server itself.
 *
 * @module
 */
import { hostname, release } from 'node:os';
import * as z from 'zod';
import type { ActorEvent } from '../../boxes/events.ts';
import type { Runtime } from '../../boxes/runtime.ts';
import { type Answer, json, stream } from '../http/answer.ts';
import { type Route, route } from '../route.ts';
import { API_VERSION, MIN_API_VERSION, VERSION } from '../version.ts';
import { type Filters, filters, matchesLabel } from './filters.ts';
import { noBody, optionalTime, query } from './query.ts';
import { dockerStatus } from './show.ts';

const access = 'owner';

const EVENT_FILTERS = ['container', 'event', 'image', 'label', 'type', 'scope'] as const;

const ping: Answer = {
  kind: 'text',
  status: 200,
  body: 'OK',
  headers: { 'Cache-Control': 'no-cache, no-store, must-revalidate', Pragma: 'no-cache' },
};

export const SYSTEM_ROUTES: readonly Route[] = [
  // HEAD, which Docker's CLI asks with, is answered by the same route.
  route('GET', '/_ping', { access, query: query({}), body: noBody, handler: () => ping }),
  route('GET', '/version', {
    access,
    query: query({}),
    body: noBody,
    handler: ({ rt }) => json(versionOf(rt)),
  }),
  route('GET', '/info', {
    access,
    query: query({}),
    body: noBody,
    handler: async ({ rt }) => json(await infoOf(rt)),
  }),
  route('GET', '/events', {
    access,
    query: query({
      since: optionalTime,
      until: optionalTime,
      filters: filters(EVENT_FILTERS),
    }),
    body: z.unknown(),
    handler: ({ rt, query, signal }) => {
      const { since, until } = query;
      const events = rt.events.follow({ since, until }, signal);
      return stream(eventLines(events, query.filters), 'application/json');
    },
  }),
];

function versionOf(rt: Runtime) {
  const details = {
    ApiVersion: API_VERSION,
    Arch: rt.host.architecture,
    KernelVersion: release(),
    MinAPIVersion: MIN_API_VERSION,
    Os: 'linux',
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

async function infoOf(rt: Runtime) {
  const boxes = rt.store.list();
  const running = boxes.filter(({ state }) => dockerStatus(state.status) === 'running').length;
  return {
    ID: rt.home,
    Containers: boxes.length,
    ContainersRunning: running,
    ContainersPaused: 0,
    ContainersStopped: boxes.length - running,
    Images: (await rt.images.list()).length,
    Driver: 'erofs',
    DriverStatus: [],
    Plugins: { Volume: [], Network: [], Authorization: null, Log: [] },
    MemoryLimit: true,
    SwapLimit: false,
    CpuCfsPeriod: true,
    CpuCfsQuota: true,
    OomKillDisable: false,
    NFd: 0,
    NGoroutines: 0,
    NEventsListener: rt.events.listeners,
    SystemTime: new Date().toISOString(),
    LoggingDriver: 'json-file',
    CgroupDriver: 'none',
    KernelVersion: release(),
    OperatingSystem: 'A3S Box',
    OSVersion: '',
    OSType: 'linux',
    Architecture: rt.host.architecture === 'amd64' ? 'x86_64' : 'aarch64',
    IndexServerAddress: '',
    NCPU: rt.host.cpus,
    MemTotal: rt.host.memoryBytes,
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
    InitBinary: '',
    SecurityOptions: ['name=seccomp,profile=builtin'],
    Warnings: null,
  };
}

async function* eventLines(
  events: AsyncIterable<ActorEvent>,
  wanted: Filters<(typeof EVENT_FILTERS)[number]>,
): AsyncGenerator<Uint8Array> {
  for await (const event of events) {
    if (matches(event, wanted)) yield Buffer.from(`${JSON.stringify(message(event))}\n`);
  }
}

function matches(event: ActorEvent, wanted: Filters<(typeof EVENT_FILTERS)[number]>): boolean {
  const { container, event: actions, image, label, type, scope } = wanted;
  const action = event.action.split(':')[0] ?? '';
  const { attributes, id } = event;
  const isContainer = event.type === 'container';
  const any = (values: readonly string[] | undefined, test: (value: string) => boolean): boolean =>
    values === undefined || values.some(test);
  return (
    any(type, (value) => value === event.type) &&
    any(actions, (value) => value === action) &&
    any(scope, (value) => value === 'local') &&
    any(
      container,
      (value) => isContainer && (id.startsWith(value) || attributes['name'] === value),
    ) &&
    any(image, (value) => value === (isContainer ? attributes['image'] : attributes['name'])) &&
    (label ?? []).every((value) => matchesLabel(attributes, value))
  );
}

function message(event: ActorEvent) {
  const { type, action, id, attributes, time } = event;
  return {
    status: action,
    id,
    ...(type === 'container' ? { from: attributes['image'] } : {}),
    Type: type,
    Action: action,
    Actor: { ID: id, Attributes: attributes },
    scope: 'local',
    time: Number(time / 1_000_000_000n),
    // Above what a JavaScript number holds exactly, and a number on the wire.
    timeNano: Number(time),
  };
}
