/**
 * Templates for people: those that exist and those that are being made, and how one of them is
 * named.
 *
 * @module
 */
import { A3sError } from '../errors.ts';
import type { Job } from './make/build-queue.ts';
import type { StoredTemplate } from './template-directory.ts';
import { noSuchTemplate, type TemplateDetails, type TemplateSummary } from './templates.ts';

/** Newest first. */
export function summaries(
  entries: readonly StoredTemplate[],
  jobs: readonly Job<void>[],
  isUsed: (entry: StoredTemplate) => boolean,
  memoryBytes: number,
): TemplateSummary[] {
  const kept = new Set(entries.map(({ record }) => record.key));
  const making = jobs
    .filter(({ key }) => !kept.has(key))
    .map(
      ({ key, cpus, since }): TemplateSummary => ({
        ...{ key, cpus, memoryBytes, state: 'making', sizeBytes: 0, uses: 0 },
        createdAt: new Date(since).toISOString(),
        lastUsedAt: undefined,
      }),
    );
  return [...making.reverse(), ...entries.map((entry) => summary(entry, isUsed(entry)))];
}

function summary(entry: StoredTemplate, used: boolean): TemplateSummary {
  const { record, sizeBytes, uses, lastUsed } = entry;
  const { key, cpus, memoryBytes, createdAt } = record;
  const there = entry.mapped === undefined ? 'on disk' : 'loaded';
  return {
    ...{ key, cpus, memoryBytes, sizeBytes, createdAt, uses },
    state: used ? 'in use' : there,
    lastUsedAt: uses === 0 ? undefined : new Date(lastUsed).toISOString(),
  };
}

export function detailsOf(
  summary: TemplateSummary,
  entry: StoredTemplate | undefined,
  maxAgeMs: number,
): TemplateDetails {
  if (entry === undefined) {
    return { ...summary, inputs: {}, protocol: undefined, expiresAt: undefined, files: [] };
  }
  const { inputs, protocol, files, createdAt } = entry.record;
  return {
    ...summary,
    ...{ inputs, protocol },
    expiresAt: new Date(Date.parse(createdAt) + maxAgeMs).toISOString(),
    files: Object.entries(files).map(([name, { bytes, sha256 }]) => ({ name, bytes, sha256 })),
  };
}

/**
 * Finds a template by its key, or by a unique prefix of it.
 *
 * @throws A3sError `no-such-template`, `invalid-argument` for a prefix of several
 */
export function find(all: readonly TemplateSummary[], reference: string): TemplateSummary {
  if (!/^[0-9a-f]{1,64}$/.test(reference)) throw noSuchTemplate(reference);
  const [first, second] = all.filter(({ key }) => key.startsWith(reference));
  if (first === undefined) throw noSuchTemplate(reference);
  if (second === undefined) return first;
  throw new A3sError('invalid-argument', `Multiple IDs found with provided prefix: ${reference}`);
}
