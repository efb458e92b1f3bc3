import { type Client, segment } from '../../../client/client.ts';
import type { Command, Invocation } from '../../../command.ts';
import { bool, refused, string } from '../../../flags/flag.ts';
import { IMAGE_POLICY_FLAG, REFRESH_SIGNATURES_FLAG } from '../../../flags/image-flags.ts';
import { refreshAuth } from '../../../requests/image-choice.ts';
import { readImagePolicy, registerImagePolicy } from '../../../requests/image-policy.ts';
import { attached } from '../../../terminal/attached.ts';
import { attend } from '../../../terminal/attend.ts';
import { detachKeys } from '../../../terminal/terminal.ts';
import { waitFor } from '../../../terminal/wait.ts';
import { UsageError } from '../../../usage-error.ts';
import { eachOf } from '../../each-of.ts';
import { inspectBox, openAttachedStream } from '../output/attach.ts';

const CHECKPOINT = 'snapshot create --memory saves the whole microVM of a running box';

export const start: Command = {
  usage: '[OPTIONS] BOX [BOX...]',
  flags: [
    bool('attach', 'Attach STDOUT/STDERR and forward signals', { short: 'a' }),
    refused('checkpoint', CHECKPOINT),
    refused('checkpoint-dir', CHECKPOINT),
    string('detach-keys', 'Override the key sequence for detaching from a box'),
    IMAGE_POLICY_FLAG,
    bool('interactive', "Attach box's STDIN", { short: 'i' }),
    REFRESH_SIGNATURES_FLAG,
  ],
  operands: { min: 1, max: Infinity },
  async run(invocation) {
    const { context, flags, operands } = invocation;
    const attached = flags.bool('attach') || flags.bool('interactive');
    if (attached && operands.length > 1) {
      throw new UsageError('you cannot start and attach multiple boxes at once', { status: 1 });
    }
    const keys = detachKeys(flags);
    const policy = await readImagePolicy(invocation);
    const client = await context.connect();
    const imagePolicy = await registerImagePolicy(client, policy);
    const startBox: StartBox = async (name) => {
      const refresh = flags.bool('refresh-signatures');
      const image = refresh ? (await inspectBox(client, name)).image : '';
      await client.json({
        method: 'POST',
        path: `/containers/${segment(name)}/start`,
        query: { imagePolicy, refreshSignatures: refresh || undefined },
        headers: await refreshAuth(context, refresh, image),
      });
    };
    if (attached) return startAttached(invocation, client, keys, startBox);
    return eachOf(context, operands, async (name) => {
      await startBox(name);
      return name;
    });
  },
};

type StartBox = (name: string) => Promise<void>;

async function startAttached(
  invocation: Invocation,
  client: Client,
  keys: Buffer,
  startBox: StartBox,
): Promise<number> {
  const { context, flags, operands } = invocation;
  const box = await inspectBox(client, operands[0] ?? '');
  const input = flags.bool('interactive') && box.openStdin;
  const { stream: attachedStream, waiting } = await attached(
    openAttachedStream(invocation, client, box, input, keys),
    waitFor(context, client, box.id, box.autoRemove ? 'removed' : 'next-exit'),
  );
  try {
    if (!box.running) await startBox(box.id);
    return await attend({
      context,
      client,
      stream: attachedStream,
      signalled: box.id,
      resize: box.terminal ? `/containers/${segment(box.id)}/resize` : undefined,
      status: waiting.status,
    });
  } finally {
    attachedStream.close();
    waiting.cancel();
  }
}
