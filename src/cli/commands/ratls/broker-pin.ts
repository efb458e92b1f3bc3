import type { Command, Invocation } from '../../command.ts';
import { InputError } from '../../files/input-error.ts';
import { byName } from '../../flags/flag.ts';
import { printFailure } from '../../print-failure.ts';
import { interruptible } from '../../terminal/interruptible.ts';
import { UsageError } from '../../usage-error.ts';
import { SIMULATED_BANNER } from '../attest/verdict/verdict-text.ts';
import { inputErrorOf, isRejection, type Session } from './open-session.ts';
import { PEER_FLAGS, trustOf } from './peer-flags.ts';
import { withSession } from './with-session.ts';

const GUESTS_KEY = '/a3s/v1/guests-key';
const MAX_ANSWER = 1024;
/** Permissions of the host with which it reads and does whatever the broker can. */
const AS_THE_BROKER: readonly string[] = ['attach', 'exec', 'files'];
const PIN = /^[0-9a-f]{64}$/;

export const brokerPin: Command = {
  usage: '[OPTIONS] --policy FILE HOST:PORT',
  description: [
    'Challenge a secret broker that is a confidential box over RA-TLS (guests.ratls of broker.yaml),',
    'hold its fresh evidence against a policy, and print the key by which boxes know it:',
    'run --broker https://HOST,key=… takes it. Nothing is printed of a broker that is rejected.',
    'Warns where the launch spec lets the host read what the broker has (--host-may of its box).',
    'Exits with 0 if the broker is accepted, 1 if it is rejected, 2 if that cannot be decided.',
  ].join('\n'),
  flags: byName(PEER_FLAGS),
  operands: { min: 1, max: 1 },
  usageStatus: 2,
  failureStatus: 2,
  run,
};

async function run({ context, flags, operands }: Invocation): Promise<number> {
  const [target = ''] = operands;
  if (!target.includes(':')) {
    throw new UsageError(`${JSON.stringify(target)} is not HOST:PORT`);
  }
  const library = await import('#ratls');
  // The broker is the workload of its box, and not its agent.
  const trust = { ...(await trustOf(context, flags, library)), peer: 'workload' } as const;
  const { policy, expect } = trust;
  if (policy.hostData === 'any-explicit' && expect?.specDigest === undefined) {
    throw new UsageError('the policy accepts every launch spec, and so every box as the broker', {
      remedy: 'Say hostData of the broker in the policy, or its launch spec by --expect-spec.',
    });
  }
  return interruptible(context, async (signal) => {
    try {
      const request = { context, library, target, trust, signal };
      const pin = await withSession(request, async (session) => {
        if (session.peer.simulated) context.stderr.write(SIMULATED_BANNER);
        context.stderr.write(warningOf(session.peer.spec));
        return pinOf(session, signal);
      });
      context.stdout.write(`${pin}\n`);
      return 0;
    } catch (error) {
      if (!(error instanceof library.RatlsError)) throw error;
      if (!isRejection(library, error)) throw inputErrorOf(error);
      printFailure(context, inputErrorOf(error));
      return 1;
    }
  });
}

/** Of what the launch spec of the broker lets its host do, which the policy has accepted. */
function warningOf({ hostMay }: Session['peer']['spec']): string {
  const found = hostMay.filter((permission) => AS_THE_BROKER.includes(permission));
  if (found.length === 0) return '';
  const may = found.join(', ');
  return [
    `WARNING: the launch spec lets the host of this broker do what the broker can (${may}).`,
    'It can read secrets, and the key below. Run the broker without these --host-may, and pin again.',
    '',
  ].join('\n');
}

async function pinOf(session: Session, signal: AbortSignal): Promise<string> {
  const response = await session.fetch(GUESTS_KEY, { signal });
  const text = response.status === 200 ? await textOf(response) : '';
  const found: unknown = /^\{"sha256":"([^"]*)"\}$/.exec(text)?.[1];
  if (typeof found === 'string' && PIN.test(found)) return found;
  const message = `The peer is accepted, and says no key of a broker (status ${response.status})`;
  throw new InputError('broker-unreachable', message, {
    remedy: 'Name the port of guests.ratls of the broker, and check its policy.',
  });
}

async function textOf({ body }: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body ?? []) {
    size += part.length;
    if (size > MAX_ANSWER) return '';
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}
