/**
 * `GET /containers/json`.
 *
 * @module
 */
import * as z from 'zod';
import { writtenBytes } from '../../../../boxes/disks/disk-usage.ts';
import { trustOf } from '../../../../boxes/policy/trust-record.ts';
import { type Box, commandOf } from '../../../../boxes/record/box.ts';
import { mayHaveVm } from '../../../../boxes/record/states.ts';
import type { Runtime } from '../../../../boxes/runtime.ts';
import { linkNames } from '../../../../boxes/spec/box-links.ts';
import { ContainerSummary } from '../../../../docker-api/containers/container.ts';
import type { ImageUsage } from '../../../../images/usage/shares.ts';
import { json } from '../../../http/answer.ts';
import { type Route, route } from '../../../http/route.ts';
import { flag, noBody, optionalInt, query } from '../../query.ts';
import { mountsOf } from './inspect-parts.ts';
import { type ListFilters, listFilters, listTests } from './list-filters.ts';
import {
  dockerStatus,
  hasVm,
  isRatlsPort,
  networkName,
  publishedPorts,
  statusText,
} from './show.ts';
import { summarizeConfidential } from './show-confidential.ts';
import { endpointsOf } from './show-networks.ts';

export interface ListOptions {
  readonly all: boolean;
  readonly limit: number | undefined;
  /** Whether to compute the size of each on disk. */
  readonly size: boolean;
  readonly filters: ListFilters;
}

/** What a list of boxes needs of the server. */
export type ListHost = Pick<Runtime, 'home' | 'store' | 'images' | 'networks' | 'volumes' | 'log'>;

type Summary = ContainerSummary;

export const LIST_ROUTES: readonly Route<ListHost>[] = [
  route('GET', '/containers/json', {
    access: 'owner',
    summary: 'List boxes, newest first',
    answers: { 200: z.array(ContainerSummary) },
    query: query({ all: flag, limit: optionalInt, size: flag, filters: listFilters }),
    body: noBody,
    handler: async ({ query }, rt) => json(await listBoxes(rt, query, Date.now())),
  }),
];

/** Newest first. @throws A3sError `invalid-argument` for a filter value that means nothing */
export async function listBoxes(rt: ListHost, options: ListOptions, now: number) {
  const tests = await listTests(rt, options.filters);
  const limit = options.limit !== undefined && options.limit > 0 ? options.limit : undefined;
  const all = options.all || limit !== undefined || options.filters.status !== undefined;
  const found = rt.store
    .list()
    .reverse()
    .filter((box) => all || runs(box))
    .filter((box) => tests.every((test) => test(box)))
    .slice(0, limit);
  const names = linkNames(rt.store.list());
  const usage = options.size ? await rt.images.usage() : undefined;
  return await Promise.all(
    found.map(async (box): Promise<Summary> => {
      const sizes = usage === undefined ? {} : await sizesOrNone(rt, box, usage);
      return { ...summary(rt, box, { now, names }), Image: await imageOf(rt, box), ...sizes };
    }),
  );
}

/**
 * As in Docker, the name that the box was created with, or the image's id once that means another.
 */
async function imageOf({ images }: Pick<Runtime, 'images'>, { definition }: Box): Promise<string> {
  const { id, reference } = definition.image;
  const found = await images.resolve(reference).catch(() => undefined);
  return found?.id === id ? reference : id;
}

/** What a box takes on disk, beside its image and with it. */
export async function sizesOf(rt: Pick<Runtime, 'home'>, box: Box, { images }: ImageUsage) {
  const { id, image, storage } = box.definition;
  const own = await writtenBytes(rt, id, mayHaveVm(box.state.status), storage?.bytes);
  return { SizeRw: own, SizeRootFs: own + (images.get(image.id)?.size ?? 0) };
}

/** A box whose size cannot be read is listed without it; the others keep theirs. */
async function sizesOrNone(rt: Pick<Runtime, 'home' | 'log'>, box: Box, usage: ImageUsage) {
  try {
    return await sizesOf(rt, box, usage);
  } catch (error) {
    rt.log.error('the size of a box could not be read', error, { box: box.definition.id });
    return {};
  }
}

/** As Docker counts: paused boxes, and those that their policy starts again, count as running. */
function runs({ state }: Box): boolean {
  return ['running', 'paused', 'restarting'].includes(dockerStatus(state));
}

function summary(
  rt: Pick<Runtime, 'networks' | 'volumes'>,
  box: Box,
  { now, names }: { now: number; names: ReadonlyMap<string, readonly string[]> },
): Omit<Summary, 'Image'> {
  const { definition, state } = box;
  const published = publishedPorts(box);
  const bound = new Set(published.map(({ boxPort, protocol }) => `${boxPort}/${protocol}`));
  const exposed = definition.exposedPorts
    .map((port) => ({ PrivatePort: Number.parseInt(port, 10), Type: port.split('/')[1] ?? 'tcp' }))
    .filter(({ PrivatePort, Type }) => !bound.has(`${PrivatePort}/${Type}`));
  return {
    Id: definition.id,
    Names: [`/${box.name}`, ...(names.get(definition.id) ?? [])],
    ImageID: definition.image.id,
    Command: shown(commandOf(definition)),
    Created: Math.floor(Date.parse(definition.createdAt) / 1000),
    Ports: [
      ...published.map(({ hostIp, boxPort, hostPort, protocol }) => ({
        IP: hostIp,
        PrivatePort: boxPort,
        PublicPort: hostPort,
        Type: protocol,
        ...(isRatlsPort(box, boxPort) ? { Name: 'ratls' as const } : {}),
      })),
      ...(hasVm(box) ? exposed : []),
    ],
    Labels: definition.labels,
    State: dockerStatus(state),
    Status: statusText(box, now),
    Trust: trustOf(box)?.verdict ?? '',
    Confidential: summarizeConfidential(box),
    HostConfig: { NetworkMode: networkName(box) },
    NetworkSettings: { Networks: endpointsOf(rt, box) },
    Mounts: mountsOf(rt, box),
  };
}

/**
 * As Docker shows a command: the program unchanged, and arguments that contain spaces in quotes.
 */
function shown([program = '', ...args]: readonly string[]): string {
  return [program, ...args.map((arg) => (arg.includes(' ') ? `'${arg}'` : arg))].join(' ');
}
