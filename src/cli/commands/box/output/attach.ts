import type { ContainerInspect } from '../../../../docker-api/containers/container.ts';
import { A3sError } from '../../../../errors.ts';
import { type Client, segment } from '../../../client/client.ts';
import { objectOf, stringOf } from '../../../client/json.ts';
import type { Command, Invocation } from '../../../command.ts';
import { bool, string } from '../../../flags/flag.ts';
import {
  type ConfidentialWarnings,
  printWarnings,
  warningsOf,
} from '../../../requests/confidential-warnings.ts';
import { AttachedStream } from '../../../terminal/attached-stream.ts';
import { attend } from '../../../terminal/attend.ts';
import { checkTerminal, detachKeys } from '../../../terminal/terminal.ts';
import { waitFor } from '../../../terminal/wait.ts';

export const attach: Command = {
  usage: '[OPTIONS] BOX',
  flags: [
    string('detach-keys', 'Override the key sequence for detaching from a box'),
    bool('no-stdin', 'Do not attach STDIN'),
    bool('sig-proxy', 'Proxy all received signals to the process', { on: true }),
  ],
  operands: { min: 1, max: 1 },
  async run(invocation) {
    const { context, flags, operands } = invocation;
    const keys = detachKeys(flags);
    const client = await context.connect();
    const box = await inspectBox(client, operands[0] ?? '');
    if (!box.running) {
      throw new A3sError('box-not-running', `Cannot attach to ${operands[0]}: it is not running`, {
        remedy: 'Start it with a3s-box start.',
      });
    }
    if (box.status === 'paused' || box.status === 'restarting') {
      throw new A3sError('conflict', `Cannot attach to ${operands[0]}: it is ${box.status}`, {
        remedy: box.status === 'paused' ? 'Unpause it first.' : 'Wait until it is running again.',
      });
    }
    printWarnings(context, box.warnings);
    const waiting = await waitFor(context, client, box.id, 'not-running');
    try {
      const input = !flags.bool('no-stdin') && box.openStdin;
      const attachedStream = await openAttachedStream(invocation, client, box, input, keys);
      return await attend({
        context,
        client,
        stream: attachedStream,
        signalled: flags.bool('sig-proxy') ? box.id : undefined,
        resize: box.terminal ? `/containers/${segment(box.id)}/resize` : undefined,
        status: waiting.status,
      });
    } finally {
      waiting.cancel();
    }
  },
};

export interface AttachedBox {
  readonly id: string;
  readonly running: boolean;
  /** In Docker's words. */
  readonly status: string;
  readonly terminal: boolean;
  readonly openStdin: boolean;
  readonly autoRemove: boolean;
  /** The image reference of the box's creation: a name, or an id. */
  readonly image: string;
  readonly warnings: ConfidentialWarnings;
}

export async function inspectBox(client: Client, name: string): Promise<AttachedBox> {
  const path = `/containers/${segment(name)}/json`;
  const box = objectOf<ContainerInspect>(await client.json({ method: 'GET', path }));
  const { Id, State, Config, HostConfig } = box;
  const config = objectOf(Config);
  return {
    id: stringOf(Id),
    running: objectOf(State).Running === true,
    status: stringOf(objectOf(State).Status),
    terminal: config.Tty === true,
    openStdin: config.OpenStdin === true,
    autoRemove: objectOf(HostConfig).AutoRemove === true,
    image: stringOf(config.Image),
    warnings: warningsOf(box),
  };
}

export async function openAttachedStream(
  { context, flags }: Invocation,
  client: Client,
  box: AttachedBox,
  input: boolean,
  keys: Buffer,
): Promise<AttachedStream> {
  checkTerminal(context, input && box.terminal);
  const { stream } = await client.hijack({
    method: 'POST',
    path: `/containers/${segment(box.id)}/attach`,
    query: {
      stream: true,
      stdin: input,
      stdout: true,
      stderr: true,
      detachKeys: flags.string('detach-keys'),
    },
  });
  return new AttachedStream(context, stream, { terminal: box.terminal, input, detachKeys: keys });
}
