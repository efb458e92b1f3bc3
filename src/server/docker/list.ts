/**
 * `GET /containers/json`.
 *
 * @module
 */
import { type Box, commandOf } from '../../boxes/box.ts';
import type { BoxStore } from '../../boxes/store.ts';
import { trustOf } from '../../boxes/trust-record.ts';
import { A3sError } from '../../errors.ts';
import { type Filters, filters, matchesLabel } from './filters.ts';
import { dockerStatus, networkMode, portName, publishedPorts, statusText } from './show.ts';
import { summarizeConfidential } from './show-confidential.ts';

const KEYS = [
  'ancestor',
  'before',
  'exited',
  'id',
  'label',
  'name',
  'network',
  'publish',
  'since',
  'status',
] as const;
type Key = (typeof KEYS)[number];

export const listFilters = filters(KEYS);

export interface ListOptions {
  readonly all: boolean;
  readonly limit: number | undefined;
  readonly filters: Filters<Key>;
}

/** Newest first. @throws A3sError `invalid-argument` for a filter value that means nothing */
export function listBoxes(store: BoxStore, options: ListOptions, now: number) {
  const tests = testsOf(store, options.filters);
  const limit = options.limit !== undefined && options.limit > 0 ? options.limit : undefined;
  const all = options.all || limit !== undefined || options.filters.status !== undefined;
  const found = store
    .list()
    .reverse()
    .filter((box) => all || dockerStatus(box.state.status) === 'running')
    .filter((box) => tests.every((test) => test(box)));
  return found.slice(0, limit).map((box) => summary(box, now));
}

const STATUSES = ['created', 'restarting', 'running', 'removing', 'paused', 'exited', 'dead'];

function testsOf(store: BoxStore, wanted: Filters<Key>): ((box: Box) => boolean)[] {
  const any =
    (values: readonly string[], test: (box: Box, value: string) => boolean) =>
    (box: Box): boolean =>
      values.some((value) => test(box, value));
  const { ancestor, before, exited, id, label, name, network, publish, since, status } = wanted;
  const tests: ((box: Box) => boolean)[] = [];
  if (id) tests.push(any(id, (box, value) => box.definition.id.startsWith(value)));
  if (name) tests.push(any(name, (box, value) => box.name.includes(value.replace(/^\//, ''))));
  // Every label must be there; of other filters one value is enough.
  for (const value of label ?? []) tests.push((box) => matchesLabel(box.definition.labels, value));
  if (status) {
    for (const value of status) check(STATUSES.includes(value), 'status', value);
    tests.push(any(status, (box, value) => dockerStatus(box.state.status) === value));
  }
  if (exited) {
    for (const value of exited) check(/^\d{1,3}$/.test(value), 'exited', value);
    tests.push(any(exited, (box, value) => hasExited(box, Number(value))));
  }
  if (ancestor) tests.push(any(ancestor, isOf));
  if (network) tests.push(any(network, (box, value) => value === networkMode(box)));
  if (publish) {
    tests.push(any(publish, (box, value) => box.state.ports.some((port) => isPort(port, value))));
  }
  for (const value of before ?? []) {
    const { createdAt } = store.resolve(value).definition;
    tests.push((box) => box.definition.createdAt < createdAt);
  }
  for (const value of since ?? []) {
    const { createdAt } = store.resolve(value).definition;
    tests.push((box) => box.definition.createdAt > createdAt);
  }
  return tests;
}

function hasExited(box: Box, exitCode: number): boolean {
  return box.state.status === 'exited' && box.state.exitCode === exitCode;
}

function isOf(box: Box, image: string): boolean {
  const { reference, id } = box.definition.image;
  const named = [reference, reference.replace(/:latest$/, ''), id].includes(image);
  return named || (image.length >= 12 && id.replace('sha256:', '').startsWith(image));
}

function isPort(port: { hostPort: number; boxPort: number }, value: string): boolean {
  return String(port.boxPort) === value.replace(/\/tcp$/, '');
}

function check(valid: boolean, filter: string, value: string): void {
  if (valid) return;
  throw new A3sError('invalid-argument', `invalid filter '${filter}=${value.slice(0, 64)}'`);
}

function summary(box: Box, now: number) {
  const { definition, state } = box;
  const published = publishedPorts(box);
  const publishedNumbers = new Set(published.map(({ boxPort }) => boxPort));
  const exposed = definition.exposedPorts
    .map((port) => ({ PrivatePort: Number.parseInt(port, 10), Type: port.split('/')[1] ?? 'tcp' }))
    .filter(({ PrivatePort }) => !publishedNumbers.has(PrivatePort));
  return {
    Id: definition.id,
    Names: [`/${box.name}`],
    Image: definition.image.reference,
    ImageID: definition.image.id,
    Command: commandOf(definition).join(' '),
    Created: Math.floor(Date.parse(definition.createdAt) / 1000),
    Ports: [
      ...published.map(({ hostIp, boxPort, hostPort }) => ({
        IP: hostIp,
        PrivatePort: boxPort,
        PublicPort: hostPort,
        Type: 'tcp',
        ...(portName(box, boxPort) === 'ratls' ? { Name: 'ratls' } : {}),
      })),
      ...(dockerStatus(state.status) === 'running' ? exposed : []),
    ],
    Labels: definition.labels,
    State: dockerStatus(state.status),
    Status: statusText(box, now),
    // Nothing, for a box that is older than trust.
    Trust: trustOf(box)?.verdict ?? '',
    Confidential: summarizeConfidential(box),
    HostConfig: { NetworkMode: networkMode(box) },
    NetworkSettings: { Networks: {} },
    Mounts: definition.binds.map((bind) => ({
      Type: 'bind',
      Source: bind.source,
      Destination: bind.destination,
      Mode: bind.readonly ? 'ro' : '',
      RW: !bind.readonly,
      Propagation: 'rprivate',
    })),
  };
}
