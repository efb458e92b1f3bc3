import { type Client, segment } from '../client/client.ts';
import type { Command, Invocation } from '../command.ts';
import { bool, refused, string } from '../flags/flag.ts';
import { attend } from '../session/attend.ts';
import { detachKeys } from '../session/terminal.ts';
import { waitFor } from '../session/wait.ts';
import { UsageError } from '../usage-error.ts';
import { inspectBox, openSession } from './attach.ts';
import { eachOf } from './each-of.ts';

export const start: Command = {
  usage: '[OPTIONS] BOX [BOX...]',
  description: 'Start one or more stopped boxes',
  flags: [
    bool('attach', 'Attach STDOUT/STDERR and forward signals', { short: 'a' }),
    refused('checkpoint', 'checkpoints are not implemented'),
    refused('checkpoint-dir', 'checkpoints are not implemented'),
    string('detach-keys', 'Override the key sequence for detaching from a box'),
    bool('interactive', "Attach box's STDIN", { short: 'i' }),
  ],
  operands: { min: 1, max: Infinity },
  async run(invocation) {
    const { context, flags, operands } = invocation;
    const attached = flags.bool('attach') || flags.bool('interactive');
    if (attached && operands.length > 1) {
      throw new UsageError('you cannot start and attach multiple boxes at once', { status: 1 });
    }
    const keys = detachKeys(flags);
    const client = await context.connect();
    if (attached) return startAttached(invocation, client, keys);
    return eachOf(context, operands, async (name) => {
      await startBox(client, name);
      return name;
    });
  },
};

function startBox(client: Client, name: string): Promise<unknown> {
  return client.json({ method: 'POST', path: `/containers/${segment(name)}/start` });
}

async function startAttached(
  invocation: Invocation,
  client: Client,
  keys: Buffer,
): Promise<number> {
  const { context, flags, operands } = invocation;
  const box = await inspectBox(client, operands[0] ?? '');
  const input = flags.bool('interactive') && box.openStdin;
  const session = await openSession(invocation, client, box, input, keys);
  const stops = [() => session.close()];
  try {
    const waiting = await waitFor(
      context,
      client,
      box.id,
      box.autoRemove ? 'removed' : 'next-exit',
    );
    stops.push(waiting.cancel);
    if (!box.running) await startBox(client, box.id);
    return await attend({
      context,
      client,
      session,
      signalled: box.id,
      resize: box.terminal ? `/containers/${segment(box.id)}/resize` : undefined,
      status: waiting.status,
    });
  } finally {
    for (const stop of stops) stop();
  }
}
