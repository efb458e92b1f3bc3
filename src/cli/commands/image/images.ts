import type { AttachmentShown } from '../../../docker-api/a3s/attachment.ts';
import type { ImageSummary } from '../../../docker-api/images/image.ts';
import { type Client, segment } from '../../client/client.ts';
import { objectsOf, type Received, stringOf } from '../../client/json.ts';
import type { Command, Invocation } from '../../command.ts';
import { bool, list, string } from '../../flags/flag.ts';
import { imageTree } from '../../output/image-tree.ts';
import { prepareFormat } from '../../output/listing.ts';
import { imageListing, imageRows } from '../../output/rows/image-row.ts';
import { UsageError } from '../../usage-error.ts';
import { encodeFilters, parseFilter } from '../../values/filter.ts';
import { FORMAT_HELP } from '../format-help.ts';

export const images: Command = {
  usage: '[OPTIONS] [REPOSITORY[:TAG]]',
  flags: [
    bool('all', 'Show all images', { short: 'a' }),
    bool('digests', 'Show digests'),
    list('filter', 'Filter output based on conditions provided', { short: 'f', value: 'filter' }),
    string('format', FORMAT_HELP),
    bool('no-trunc', "Don't truncate output"),
    bool('quiet', 'Only show image IDs', { short: 'q' }),
    bool('tree', 'List manifests and attachments of each image as a tree'),
  ],
  operands: { min: 0, max: 1 },
  async run(invocation) {
    const { context, flags } = invocation;
    const tree = flags.bool('tree');
    const show = tree ? undefined : table(invocation);
    if (tree) checkTree(invocation);
    const query = imageQuery(invocation);
    const client = await context.connect();
    const found = objectsOf<ImageSummary>(
      await client.json({ method: 'GET', path: '/images/json', query }),
    );
    context.stdout.write(show?.(found) ?? imageTree(await withAttachments(client, found)));
    return 0;
  },
};

function imageQuery({ flags, operands }: Invocation) {
  const [reference] = operands;
  const filters = [
    ...flags.parsedList('filter', parseFilter),
    ...(reference === undefined ? [] : [['reference', reference] as const]),
  ];
  return {
    all: flags.bool('all'),
    digests: flags.bool('digests'),
    manifests: flags.bool('tree') || undefined,
    filters: encodeFilters(filters),
  };
}

/** A mistake in the format is found before the server is asked. */
function table({ flags }: Invocation): (images: readonly Received<ImageSummary>[]) => string {
  const full = flags.bool('no-trunc');
  const format = prepareFormat(
    flags.string('format') ?? (flags.bool('quiet') ? '{{.ID}}' : undefined),
    imageListing(flags.bool('digests')),
  );
  return (images) => {
    const now = Date.now();
    return format(images.flatMap((image) => imageRows(image, full, now)));
  };
}

function checkTree({ flags }: Invocation): void {
  for (const name of ['digests', 'format', 'no-trunc', 'quiet']) {
    if (!flags.given(name)) continue;
    throw new UsageError(`--${name} is not supported with --tree`, { status: 1 });
  }
}

async function withAttachments(client: Client, found: readonly Received<ImageSummary>[]) {
  const trees = [];
  for (const summary of found) {
    const path = `/a3s/v1/images/${segment(stringOf(summary.Id))}/attachments`;
    const attachments = objectsOf<AttachmentShown>(await client.json({ method: 'GET', path }));
    trees.push({ summary, attachments: attachments.length });
  }
  return trees;
}
