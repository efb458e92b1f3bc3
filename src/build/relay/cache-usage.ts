/**
 * What a builder says of the records of its cache. A build may have taken the builder over, so its
 * words are bounded and have no control characters.
 *
 * @module
 */
import * as z from 'zod';
import type { Builder } from '../builder.ts';
import { askBuilder } from './builder-api.ts';

const PATH = '/system/df?type=build-cache';
/** BuildKit measures what it has not measured yet. */
const MEASURE_MS = 120_000;
const MAX_TEXT = 1000;

const id = z.string().regex(/^[0-9a-z]{1,64}$/);
const text = z
  .string()
  .transform((words) =>
    words.slice(0, MAX_TEXT).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu, ' '),
  );
const time = z.iso.datetime({ offset: true });

/** As Go writes it: an empty list is `null`. */
const Usage = z.object({
  BuildCache: z
    .array(
      z.object({
        ID: id,
        Parents: z.array(id).nullish(),
        Type: text,
        Description: text,
        InUse: z.boolean(),
        Shared: z.boolean(),
        Size: z.int().min(0),
        CreatedAt: time,
        LastUsedAt: time.nullish(),
        UsageCount: z.int().min(0),
      }),
    )
    .nullish(),
});

/** @throws A3sError `builder-failed` */
export async function cacheUsage(builder: Builder, signal: AbortSignal) {
  const asked = { method: 'GET', path: PATH, signal } as const;
  const { BuildCache } = await askBuilder(builder, asked, Usage, MEASURE_MS);
  return (BuildCache ?? []).map(({ Parents, LastUsedAt, ...record }) => ({
    ...record,
    ...(Parents === null || Parents === undefined ? {} : { Parents }),
    LastUsedAt: LastUsedAt ?? null,
  }));
}
