/**
 * What the store needs on disk, as rows of `system df`.
 *
 * @module
 */
import type { ContainerSummary } from '../../../docker-api/containers/container.ts';
import type { ImageSummary } from '../../../docker-api/images/image.ts';
import type { DiskUsage } from '../../../docker-api/system/system.ts';
import type { Volume } from '../../../docker-api/volume.ts';
import { numberOf, objectOf, objectsOf, type Received } from '../../client/json.ts';
import { humanSize } from '../human.ts';
import type { Listing, Row } from '../listing.ts';
import { boxRow } from './box-row.ts';
import { imageRows } from './image-row.ts';

const DIGITS = 4;

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
  // Nothing here builds yet; scripts look for Docker's four rows.
  rows.push({ type: 'Build Cache', total: 0, active: 0, size: 0, free: 0 });
  return rows.map(({ type, total, active, size, free }) => ({
    Type: type,
    TotalCount: String(total),
    Active: String(active),
    Size: humanSize(size, DIGITS),
    Reclaimable: share(free, size),
  }));
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

/** Without rows: nothing here builds yet. */
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
