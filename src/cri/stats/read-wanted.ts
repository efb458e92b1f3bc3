/**
 * What lists of stats have in common, be they of pods or of containers.
 *
 * @module
 */
import type { CriHost } from '../host.ts';
import { hasLabels } from '../label-selector.ts';

interface Named {
  readonly definition: {
    readonly id: string;
    readonly labels: Readonly<Record<string, string>>;
  };
}

interface Filter {
  readonly id: string;
  readonly labelSelector: Readonly<Record<string, string>>;
}

/**
 * Reads the stats of what a filter names, of all at once. All that the filter has must hold.
 *
 * @param records those that the rest of the filter leaves
 */
export async function readWanted<Record extends Named, Stats>(
  { pods }: Pick<CriHost, 'pods'>,
  kind: 'pod' | 'container',
  records: readonly Record[],
  filter: Filter | undefined,
  read: (record: Record) => Promise<Stats>,
): Promise<Stats[]> {
  const { id = '', labelSelector = {} } = filter ?? {};
  const full = id === '' ? '' : pods.fullId(kind, id);
  const found = records
    .filter(({ definition }) => full === '' || definition.id === full)
    .filter(({ definition }) => hasLabels(definition.labels, labelSelector));
  return await Promise.all(found.map(read));
}

/** Whose stats they are. */
export function attributesOf<Metadata>({
  id,
  metadata,
  labels,
  annotations,
}: {
  readonly id: string;
  readonly metadata: Metadata;
  readonly labels: Record<string, string>;
  readonly annotations: Record<string, string>;
}) {
  return { id, metadata, labels, annotations };
}
