/**
 * What `logs --details` shows: the labels and variables that the log's options name.
 *
 * @module
 */
import type { BoxDefinition } from '../record/box.ts';

/**
 * As Docker writes them: in order, each part escaped as in a query. Empty where the log's options
 * name none.
 */
export function logDetails({
  labels,
  env,
  logging: { options },
}: Pick<BoxDefinition, 'labels' | 'env' | 'logging'>): string {
  const shown = new Map<string, string>();
  for (const name of namesIn(options['labels'])) {
    const value = Object.hasOwn(labels, name) ? labels[name] : undefined;
    if (value !== undefined) shown.set(name, value);
  }
  for (const name of namesIn(options['env'])) {
    const entry = env.find((each) => each.startsWith(`${name}=`));
    if (entry !== undefined) shown.set(name, entry.slice(name.length + 1));
  }
  return [...shown]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${escaped(name)}=${escaped(value)}`)
    .join(',');
}

function namesIn(list: string | undefined): string[] {
  return (list ?? '').split(',').filter((name) => name !== '');
}

function escaped(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1);
}
