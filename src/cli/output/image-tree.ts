/**
 * `images --tree`: under each image its manifests, and what is attached to it.
 *
 * @module
 */
import type { ImageSummary } from '../../docker-api/images/image.ts';
import {
  numberOf,
  objectOf,
  objectsOf,
  type Received,
  stringOf,
  stringsOf,
} from '../client/json.ts';
import { humanSize } from './human.ts';

const SHORT_ID = 12;
const GAP = '   ';
const USED = '✔';

const HEADERS = ['IMAGE', 'ID', 'DISK USAGE', 'CONTENT SIZE', 'USED'] as const;
type Manifest = Received<NonNullable<ImageSummary['Manifests']>[number]>;
type Platform = NonNullable<NonNullable<Manifest['ImageData']>['Platform']>;
type Cells = readonly [string, string, string, string, string];

export interface TreeImage {
  /** As `GET /images/json?manifests=1` has it. */
  readonly summary: Received<ImageSummary>;
  /** How many signatures, attestations and the like the store has beside it. */
  readonly attachments: number;
}

export function imageTree(images: readonly TreeImage[]): string {
  const groups = images.map(linesOf);
  const lines: readonly Cells[] = [HEADERS, ...groups.flat()];
  const widths = HEADERS.map((_, column) =>
    Math.max(...lines.map((cells) => [...(cells[column] ?? '')].length)),
  );
  return lines.map((cells) => `${layOut(cells, widths)}\n`).join('');
}

/** Sizes are right-aligned, as in Docker's tree. */
function layOut(cells: Cells, widths: readonly number[]): string {
  return cells
    .map((cell, column) => {
      const padding = ' '.repeat((widths[column] ?? 0) - [...cell].length);
      return column === 2 || column === 3 ? padding + cell : cell + padding;
    })
    .join(GAP)
    .trimEnd();
}

function linesOf({ summary, attachments }: TreeImage): readonly Cells[] {
  const names = stringsOf(summary.RepoTags).filter((name) => name !== '<none>:<none>');
  const top = names.length === 0 ? ['<untagged>'] : names;
  const manifests = objectsOf(summary.Manifests);
  const total = sizeOf(manifests, 'Total') || numberOf(summary.Size);
  const content = sizeOf(manifests, 'Content') || numberOf(summary.Size);
  const used = numberOf(summary.Containers) > 0 ? USED : '';
  const lines: Cells[] = top.map((name, index): Cells => {
    if (index < top.length - 1) return [name, '', '', '', ''];
    const id = shortDigest(stringOf(summary.Id));
    return [name, id, humanSize(total), humanSize(content), used];
  });
  const children: Cells[] = manifests.map(childOf);
  if (attachments > 0) {
    children.push([`${attachments} attachment${attachments === 1 ? '' : 's'}`, '', '', '', '']);
  }
  for (const [index, [label, ...rest]] of children.entries()) {
    lines.push([`${index === children.length - 1 ? '└─' : '├─'} ${label}`, ...rest]);
  }
  return lines;
}

function childOf(manifest: Manifest): Cells {
  const image = objectOf(manifest.ImageData);
  const used = stringsOf(image.Containers).length > 0 ? USED : '';
  const { Total, Content } = objectOf(manifest.Size);
  return [
    platform(objectOf(image.Platform)),
    shortDigest(stringOf(manifest.ID)),
    humanSize(numberOf(Total)),
    humanSize(numberOf(Content)),
    used,
  ];
}

function platform({ os, architecture }: Platform): string {
  const parts = [os, architecture].map(stringOf).filter((part) => part !== '');
  return parts.length === 0 ? 'unknown' : parts.join('/');
}

function sizeOf(manifests: readonly Manifest[], which: 'Total' | 'Content'): number {
  return manifests.reduce((sum, { Size }) => sum + numberOf(objectOf(Size)[which]), 0);
}

function shortDigest(digest: string): string {
  return digest.replace(/^sha256:/, '').slice(0, SHORT_ID);
}
