/**
 * What the store needs on disk, as rows of `system df`.
 *
 * @module
 */
import type { ContainerSummary } from '../../../docker-api/containers/container.ts';
import type { ImageSummary } from '../../../docker-api/images/image.ts';
import type { BuildCache } from '../../../docker-api/system/build-cache.ts';
import type { DiskUsage } from '../../../docker-api/system/system.ts';
import type { Volume } from '../../../docker-api/volume.ts';
import { numberOf, objectOf, objectsOf, type Received, stringOf } from '../../client/json.ts';
import { humanDuration, humanSize } from '../human.ts';
import type { Listing, Row } from '../listing.ts';
import { boxRow } from './box-row.ts';
import { imageRows } from './image-row.ts';

const DIGITS = 4;
const SHORT_ID = 12;

export const USAGE_LISTING: Listing = {
  defaults: '{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}',
  headers: {
    Type: 'TYPE',
    TotalCount: 'TOTAL',
    Active: 'ACTIVE',
    Size: 'SIZE',
    Reclaimable: 'RECLAIMABLE',
  },
};

export function usageRows(usage: Received<DiskUsage>): readonly Row[] {
  const images = objectsOf(usage.Images);
  const boxes = objectsOf(usage.Containers);
  const used = images.filter((image) => numberOf(image.Containers) > 0);
  const layers = numberOf(usage.LayersSize);
  const running = boxes.filter(({ State }) => State === 'running' || State === 'paused');
  const rows = [
    {
      type: 'Images',
      total: images.length,
      active: used.length,
      size: layers,
      // Layers that used images share are counted as used where nothing else is known.
      free: Math.max(layers - sum(used.filter(isMeasured).map(uniqueSize)), 0),
    },
    {
      type: 'Containers',
      total: boxes.length,
      active: running.length,
      size: sum(boxes.map(writtenSize)),
      free: sum(boxes.filter((box) => !running.includes(box)).map(writtenSize)),
    },
    volumesRow(objectsOf(usage.Volumes)),
  ];
  const shown = rows.map((row) => ({ ...row, reclaimable: share(row.free, row.size) }));
  return [...shown, cachesRow(objectsOf(usage.BuildCache))].map(
    ({ type, total, active, size, reclaimable }) => ({
      Type: type,
      TotalCount: String(total),
      Active: String(active),
      Size: humanSize(size, DIGITS),
      Reclaimable: reclaimable,
    }),
  );
}

/** Without a percentage, as Docker has it. */
function cachesRow(caches: readonly Received<BuildCache>[]) {
  const size = cacheSize(caches);
  const used = caches.filter(({ InUse }) => InUse === true);
  const free = size - cacheSize(used);
  const reclaimable = humanSize(free, DIGITS);
  return { type: 'Build Cache', total: caches.length, active: used.length, size, reclaimable };
}

/** What is shared with an image counts there. */
export function cacheSize(caches: readonly Received<BuildCache>[]): number {
  return sum(caches.filter(({ Shared }) => Shared !== true).map(({ Size }) => numberOf(Size)));
}

function volumesRow(volumes: readonly Received<Volume>[]) {
  const unused = volumes.filter((volume) => links(volume) === 0);
  return {
    type: 'Local Volumes',
    total: volumes.length,
    active: volumes.filter((volume) => links(volume) > 0).length,
    size: sum(volumes.map(volumeSize)),
    free: sum(unused.map(volumeSize)),
  };
}

export const IMAGE_USAGE_LISTING: Listing = {
  defaults:
    '{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}',
  headers: {
    Repository: 'REPOSITORY',
    Tag: 'TAG',
    ID: 'IMAGE ID',
    CreatedSince: 'CREATED',
    Size: 'SIZE',
    SharedSize: 'SHARED SIZE',
    UniqueSize: 'UNIQUE SIZE',
    Containers: 'CONTAINERS',
  },
};

/** One row, by its first name, as Docker has it here. */
export function imageUsageRow(image: Received<ImageSummary>, now: number): Row {
  const [shared, unique] = isMeasured(image)
    ? [humanSize(numberOf(image.SharedSize), DIGITS), humanSize(uniqueSize(image), DIGITS)]
    : ['N/A', 'N/A'];
  return {
    ...imageRows(image, false, now)[0],
    SharedSize: shared,
    UniqueSize: unique,
    Containers: String(numberOf(image.Containers)),
  };
}

export const BOX_USAGE_LISTING: Listing = {
  defaults:
    '{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}',
  headers: {
    ID: 'CONTAINER ID',
    Image: 'IMAGE',
    Command: 'COMMAND',
    LocalVolumes: 'LOCAL VOLUMES',
    Size: 'SIZE',
    RunningFor: 'CREATED',
    Status: 'STATUS',
    Names: 'NAMES',
  },
};

export function boxUsageRow(box: Received<ContainerSummary>, now: number): Row {
  return { ...boxRow(box, false, now), Size: humanSize(writtenSize(box)) };
}

export const VOLUME_USAGE_LISTING: Listing = {
  defaults: '{{.Name}}\t{{.Links}}\t{{.Size}}',
  headers: { Name: 'VOLUME NAME', Links: 'LINKS', Size: 'SIZE' },
};

export const BUILD_USAGE_LISTING: Listing = {
  defaults:
    '{{.ID}}\t{{.CacheType}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsedSince}}\t{{.UsageCount}}\t{{.Shared}}',
  headers: {
    ID: 'CACHE ID',
    CacheType: 'CACHE TYPE',
    Size: 'SIZE',
    CreatedSince: 'CREATED',
    LastUsedSince: 'LAST USED',
    UsageCount: 'USAGE',
    Shared: 'SHARED',
  },
};

/** What was never used comes first, then what was used longest ago, as Docker has it. */
export function cacheUsageRows(caches: readonly Received<BuildCache>[], now: number): Row[] {
  const used = (cache: Received<BuildCache>): number => Date.parse(stringOf(cache.LastUsedAt)) || 0;
  const sorted = [...caches].sort(
    (a, b) => used(a) - used(b) || (stringOf(a.ID) < stringOf(b.ID) ? -1 : 1),
  );
  return sorted.map((cache) => cacheUsageRow(cache, now));
}

function cacheUsageRow(cache: Received<BuildCache>, now: number): Row {
  const since = (time: string): string => `${humanDuration(now - Date.parse(time))} ago`;
  const lastUsed = stringOf(cache.LastUsedAt);
  return {
    // A star for what is in use.
    ID: `${stringOf(cache.ID).slice(0, SHORT_ID)}${cache.InUse === true ? '*' : ''}`,
    Parent: '',
    CacheType: stringOf(cache.Type),
    Size: humanSize(numberOf(cache.Size)),
    CreatedSince: since(stringOf(cache.CreatedAt)),
    CreatedAt: stringOf(cache.CreatedAt),
    LastUsedAt: lastUsed,
    LastUsedSince: lastUsed === '' ? '' : since(lastUsed),
    UsageCount: String(numberOf(cache.UsageCount)),
    InUse: String(cache.InUse === true),
    Shared: String(cache.Shared === true),
    Description: stringOf(cache.Description),
  };
}

function isMeasured(image: Received<ImageSummary>): boolean {
  return numberOf(image.Size) >= 0 && numberOf(image.SharedSize) >= 0;
}

function uniqueSize(image: Received<ImageSummary>): number {
  return numberOf(image.Size) - numberOf(image.SharedSize);
}

function writtenSize(box: Received<ContainerSummary>): number {
  return numberOf(box.SizeRw);
}

function links(volume: Received<Volume>): number {
  return numberOf(objectOf(volume.UsageData).RefCount);
}

/** A volume that is not measured has the size -1. */
function volumeSize(volume: Received<Volume>): number {
  return Math.max(numberOf(objectOf(volume.UsageData).Size), 0);
}

function share(part: number, whole: number): string {
  const text = humanSize(part, DIGITS);
  return whole > 0 ? `${text} (${Math.trunc((part * 100) / whole)}%)` : text;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
