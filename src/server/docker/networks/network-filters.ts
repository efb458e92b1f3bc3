/**
 * The filters of networks, as Docker has them.
 *
 * @module
 */
import type { Runtime } from '../../../boxes/runtime.ts';
import { A3sError } from '../../../errors.ts';
import type { NetworkRecord } from '../../../networks/network.ts';
import { isPredefined } from '../../../networks/networks.ts';
import { type Filters, filterFlag, matchesLabel, matchesLabels, matchesName } from '../filters.ts';
import { parsePruneTime } from '../prune-time.ts';
import type { AnyNetwork } from './describe-network.ts';

export const LIST_FILTERS = ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type'] as const;
export const PRUNE_FILTERS = ['until', 'label', 'label!'] as const;

type ListFilters = Filters<(typeof LIST_FILTERS)[number]>;
type PruneFilters = Filters<(typeof PRUNE_FILTERS)[number]>;

/** @throws A3sError `invalid-argument` for a value that means nothing */
export function listTest(
  { networks }: Pick<Runtime, 'networks'>,
  wanted: ListFilters,
): (network: AnyNetwork) => boolean {
  const { name, id, driver, scope, type, label = [], dangling } = wanted;
  const unused = dangling === undefined ? undefined : filterFlag('dangling', dangling);
  const odd = type?.find((value) => !['builtin', 'custom'].includes(value));
  if (odd !== undefined) {
    throw new A3sError('invalid-argument', `invalid filter: 'type'='${odd.slice(0, 64)}'`, {
      remedy: 'It is builtin or custom.',
    });
  }
  return (network) => {
    const builtin = isPredefined(network);
    const labels = builtin ? {} : network.labels;
    // Docker never calls a predefined network unused.
    const used = builtin || networks.endpointsOf(network.id).length > 0;
    return (
      (name?.some((value) => matchesName(network.name, value)) ?? true) &&
      (id?.some((value) => network.id.includes(value)) ?? true) &&
      (driver?.includes(network.driver) ?? true) &&
      (scope?.includes('local') ?? true) &&
      (type?.includes(builtin ? 'builtin' : 'custom') ?? true) &&
      label.every((value) => matchesLabel(labels, value)) &&
      (unused === undefined || used !== unused)
    );
  };
}

/**
 * @param now milliseconds since 1970
 * @throws A3sError `invalid-argument` for a time that means nothing, and for several
 */
export function pruneTest(wanted: PruneFilters, now: number): (network: NetworkRecord) => boolean {
  const { until } = wanted;
  if (until !== undefined && until.length > 1) {
    throw new A3sError('invalid-argument', 'more than one until filter specified', {
      remedy: 'Give one time.',
    });
  }
  const [text] = until ?? [];
  const before = text === undefined ? Number.POSITIVE_INFINITY : parsePruneTime(text, now);
  return ({ createdAt, labels }) =>
    Date.parse(createdAt) <= before && matchesLabels(labels, wanted);
}
