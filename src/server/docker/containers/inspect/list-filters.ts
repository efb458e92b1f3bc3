/**
 * The filters of `GET /containers/json`.
 *
 * @module
 */
import type { Box } from '../../../../boxes/record/box.ts';
import type { Runtime } from '../../../../boxes/runtime.ts';
import { DOCKER_STATUSES } from '../../../../docker-api/containers/container.ts';
import { A3sError } from '../../../../errors.ts';
import type { Image } from '../../../../images/image.ts';
import { type Filters, filters, matchesLabel, matchesName } from '../../filters.ts';
import { dockerStatus, healthWord, ownName, publishedPorts } from './show.ts';

const KEYS = [
  'ancestor',
  'before',
  'exited',
  'expose',
  'health',
  'id',
  'is-task',
  'label',
  'name',
  'network',
  'publish',
  'since',
  'status',
  'volume',
] as const;
export type ListFilters = Filters<(typeof KEYS)[number]>;

export const listFilters = filters(KEYS);

type Test = (box: Box) => boolean;

/**
 * A box is listed where all tests hold.
 *
 * @throws A3sError `invalid-argument` for a meaningless value
 */
export async function listTests(
  rt: Pick<Runtime, 'store' | 'images' | 'networks'>,
  wanted: ListFilters,
): Promise<readonly Test[]> {
  const { ancestor, before, exited, expose, health, id, label, name } = wanted;
  const { network, publish, since, status, volume, 'is-task': task } = wanted;
  const tests: Test[] = [];
  /** For most filters, one matching value is enough. */
  const any = <Value>(
    values: readonly Value[] | undefined,
    test: (box: Box, value: Value) => boolean,
  ) => {
    if (values !== undefined) tests.push((box) => values.some((value) => test(box, value)));
  };
  any(id, (box, value) => box.definition.id.startsWith(value));
  // As in Docker, a name may have its slash.
  any(name, (box, value) => matchesName(box.name, value.replace(/^(\^?)\//, '$1')));
  // Every label must match.
  for (const value of label ?? []) tests.push((box) => matchesLabel(box.definition.labels, value));
  const statuses = [...DOCKER_STATUSES, 'dead'];
  any(checked('status', status, statuses), (box, value) => dockerStatus(box.state) === value);
  any(checked('health', health, HEALTH), (box, value) => healthWord(box) === value);
  // Only swarms have tasks.
  any(checked('is-task', task, TRUTH), (_, value) => FALSE.includes(value));
  for (const value of exited ?? []) if (!/^\d{1,3}$/.test(value)) throw invalid('exited', value);
  any(exited, (box, value) => hasExited(box, Number(value)));
  any(network, (box, value) => isInNetwork(rt, box, value));
  any(publish?.map(portRange('publish')), (box, range) =>
    // As in Docker, this is the host's port, while there is one.
    publishedPorts(box).some(({ hostPort, protocol }) => isIn(hostPort, protocol, range)),
  );
  any(expose?.map(portRange('expose')), (box, range) =>
    box.definition.exposedPorts.some((port) => {
      const [number, protocol = 'tcp'] = port.split('/');
      return isIn(Number(number), protocol, range);
    }),
  );
  any(volume, ({ definition: { binds, volumeMounts } }, value) =>
    [
      ...binds.flatMap(({ source, destination }) => [source, destination]),
      ...volumeMounts.flatMap(({ name, destination }) => [name, destination]),
    ].includes(value),
  );
  any(
    ancestor && (await Promise.all(ancestor.map((value) => ancestorTest(rt, value)))),
    (box, test) => test(box),
  );
  for (const value of before ?? []) {
    const { createdAt } = rt.store.resolve(value).definition;
    tests.push((box) => box.definition.createdAt < createdAt);
  }
  for (const value of since ?? []) {
    const { createdAt } = rt.store.resolve(value).definition;
    tests.push((box) => box.definition.createdAt > createdAt);
  }
  return tests;
}

/**
 * A user-defined network has its name, the name that it was asked for by, and an id, of which the
 * beginning does.
 */
function isInNetwork({ networks }: Pick<Runtime, 'networks'>, box: Box, value: string): boolean {
  const { network, endpoints } = box.definition;
  const main: string[] = network === 'user' ? [] : [ownName(box), network];
  if (main.includes(value)) return true;
  return endpoints.some(
    ({ network: id, name }) =>
      name === value || networks.get(id)?.name === value || id.startsWith(value),
  );
}

const HEALTH = ['starting', 'healthy', 'unhealthy', 'none'];
const FALSE = ['false', '0'];
const TRUTH = ['true', '1', ...FALSE];

function checked(
  filter: string,
  values: readonly string[] | undefined,
  known: readonly string[],
): readonly string[] | undefined {
  const odd = values?.find((value) => !known.includes(value));
  if (odd !== undefined) throw invalid(filter, odd);
  return values;
}

function hasExited(box: Box, exitCode: number): boolean {
  return box.state.status === 'exited' && box.state.exitCode === exitCode;
}

/** Whether a box has this image, or was created with this name. */
async function ancestorTest(
  { images }: Pick<Runtime, 'images'>,
  wanted: string,
): Promise<(box: Box) => boolean> {
  const image = await found(() => images.resolve(wanted));
  return ({ definition: { image: used } }) =>
    used.id === image?.id ||
    isPrefix(wanted, used.id) ||
    [used.reference, used.reference.replace(/:latest$/, '')].includes(wanted);
}

/** Docker's short form, with or without the algorithm. */
function isPrefix(wanted: string, id: string): boolean {
  const digits = wanted.replace(/^sha256:/, '');
  return digits.length >= 12 && id.startsWith(`sha256:${digits}`);
}

async function found(resolve: () => Promise<Image>): Promise<Image | undefined> {
  try {
    return await resolve();
  } catch (error) {
    if (error instanceof A3sError) return undefined;
    throw error;
  }
}

interface PortRange {
  readonly first: number;
  readonly last: number;
  readonly protocol: string;
}

/** `80`, `80/tcp`, `80-90/udp`. */
function portRange(filter: string): (text: string) => PortRange {
  return (text) => {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/.exec(text);
    if (match === null) throw invalid(filter, text);
    const [, first, last = first, protocol = 'tcp'] = match;
    return { first: Number(first), last: Number(last), protocol };
  };
}

function isIn(port: number, protocol: string, range: PortRange): boolean {
  return protocol === range.protocol && port >= range.first && port <= range.last;
}

function invalid(filter: string, value: string): A3sError {
  return new A3sError('invalid-argument', `invalid filter '${filter}=${value.slice(0, 64)}'`);
}
