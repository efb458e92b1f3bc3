import type { DiskUsage } from '../../../docker-api/system/system.ts';
import { objectOf, objectsOf, type Received } from '../../client/json.ts';
import type { Command } from '../../command.ts';
import { bool, string } from '../../flags/flag.ts';
import { Template } from '../../output/go-template/template.ts';
import { humanSize } from '../../output/human.ts';
import { prepareFormat } from '../../output/listing.ts';
import {
  BOX_USAGE_LISTING,
  BUILD_USAGE_LISTING,
  boxUsageRow,
  cacheSize,
  cacheUsageRows,
  IMAGE_USAGE_LISTING,
  imageUsageRow,
  USAGE_LISTING,
  usageRows,
  VOLUME_USAGE_LISTING,
} from '../../output/rows/usage-rows.ts';
import { volumeRow } from '../../output/rows/volume-row.ts';
import { FORMAT_HELP } from '../format-help.ts';

const DIGITS = 4;

export const df: Command = {
  usage: '[OPTIONS]',
  flags: [
    string('format', FORMAT_HELP),
    bool('verbose', 'Show detailed information on space usage', { short: 'v' }),
  ],
  operands: { min: 0, max: 0 },
  async run({ context, flags }) {
    const verbose = flags.bool('verbose');
    const show = prepare(flags.string('format') ?? '', verbose);
    const client = await context.connect();
    const usage = objectOf<DiskUsage>(await client.json({ method: 'GET', path: '/system/df' }));
    context.stdout.write(show(usage, Date.now()));
    return 0;
  },
};

type Show = (usage: Received<DiskUsage>, now: number) => string;

/** A mistake in the format is found before the server is asked. */
function prepare(format: string, verbose: boolean): Show {
  if (!verbose) {
    const text = prepareFormat(format, USAGE_LISTING);
    return (usage) => text(usageRows(usage));
  }
  const images = prepareFormat(undefined, IMAGE_USAGE_LISTING);
  const boxes = prepareFormat(undefined, BOX_USAGE_LISTING);
  const volumes = prepareFormat(undefined, VOLUME_USAGE_LISTING);
  const caches = prepareFormat(undefined, BUILD_USAGE_LISTING);
  if (format === '' || format === 'table') {
    return (usage, now) => {
      const rows = details(usage, now);
      return [
        `Images space usage:\n\n${images(rows.Images)}`,
        `Containers space usage:\n\n${boxes(rows.Containers)}`,
        `Local Volumes space usage:\n\n${volumes(rows.Volumes)}`,
        `Build cache usage: ${humanSize(cacheSize(objectsOf(usage.BuildCache)), DIGITS)}\n\n${caches(rows.BuildCache)}`,
      ].join('\n');
    };
  }
  if (format === 'json') return (usage, now) => `${JSON.stringify(details(usage, now))}\n`;
  const template = new Template(format);
  return (usage, now) => `${template.evaluate(details(usage, now))}\n`;
}

function details(usage: Received<DiskUsage>, now: number) {
  return {
    Images: objectsOf(usage.Images).map((image) => imageUsageRow(image, now)),
    Containers: objectsOf(usage.Containers).map((box) => boxUsageRow(box, now)),
    Volumes: objectsOf(usage.Volumes).map(volumeRow),
    BuildCache: cacheUsageRows(objectsOf(usage.BuildCache), now),
  };
}
