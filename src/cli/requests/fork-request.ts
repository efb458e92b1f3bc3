/**
 * The command line of `run --from-snapshot`: what such a box may be given, and by name what it
 * cannot.
 *
 * @module
 */
import type { ForkBody, Forked } from '../../docker-api/a3s/fork.ts';
import type { ImagePolicyBody } from '../../docker-api/a3s/image-policy.ts';
import { type Client, segment } from '../client/client.ts';
import { objectOf, stringOf, stringsOf } from '../client/json.ts';
import type { Invocation } from '../command.ts';
import type { Context } from '../context.ts';
import { type Flag, flagLabel } from '../flags/flag.ts';
import { FROM_SNAPSHOT_FLAG } from '../flags/from-snapshot-flag.ts';
import { UsageError } from '../usage-error.ts';
import { type PortBinding, parsePort, RATLS_PORT } from '../values/port.ts';
import { readImagePolicy, registerImagePolicy } from './image-policy.ts';

const FLAG = FROM_SNAPSHOT_FLAG.name;

/** Everything else is what the running box was started with. */
const APPLY: ReadonlySet<string> = new Set([
  ...[FLAG, 'detach', 'detach-keys', 'help', 'image-policy', 'name', 'publish', 'rm', 'sig-proxy'],
]);

export interface ForkRequest {
  readonly snapshot: string;
  readonly body: ForkBody;
  readonly policy: ImagePolicyBody | undefined;
}

/**
 * Undefined where no snapshot is asked for.
 *
 * @throws UsageError by name, before the server is asked
 */
export async function forkRequest(
  invocation: Invocation,
  table: readonly Flag[],
): Promise<ForkRequest | undefined> {
  const { flags, operands } = invocation;
  const snapshot = flags.string(FLAG);
  if (snapshot === undefined) return undefined;
  if (snapshot === '') throw flags.invalid(FLAG, snapshot, 'must name a snapshot');
  const [operand] = operands;
  if (operand !== undefined) {
    throw cannot(
      `the ${operands.length === 1 ? 'image' : 'image and command'} ${operands.join(' ')}`,
    );
  }
  const other = table.find(({ name }) => !APPLY.has(name) && flags.given(name));
  if (other !== undefined) throw cannot(flagLabel(other));
  const ports = flags.parsedList('publish', parsePort).flat();
  if (ports.some(({ boxPort }) => boxPort === RATLS_PORT)) throw cannot('-p ratls');
  return {
    snapshot,
    body: {
      name: flags.string('name'),
      autoRemove: flags.bool('rm'),
      ports: ports.map(portOf),
    },
    policy: await readImagePolicy(invocation),
  };
}

/** Makes the box; it goes on at its start. */
export async function createFork(
  context: Context,
  client: Client,
  { snapshot, body, policy }: ForkRequest,
  signal: AbortSignal,
): Promise<{ id: string; imagePolicy: string | undefined; terminal: boolean }> {
  const imagePolicy = await registerImagePolicy(client, policy);
  const path = `/a3s/v1/snapshots/${segment(snapshot)}/boxes`;
  const query = { imagePolicy };
  const created = objectOf<Forked>(
    await client.json({ method: 'POST', path, query, body, signal }),
  );
  for (const warning of stringsOf(created.warnings)) {
    context.stderr.write(`WARNING: ${warning}\n`);
  }
  return { id: stringOf(created.id), imagePolicy, terminal: created.terminal === true };
}

function portOf({ hostIp, hostPort, boxPort }: PortBinding) {
  if (hostPort.includes('-')) throw cannot(`-p with the range ${hostPort}`);
  const protocol = boxPort.endsWith('/udp') ? ('udp' as const) : ('tcp' as const);
  return { hostIp, hostPort: Number(hostPort), boxPort: Number.parseInt(boxPort, 10), protocol };
}

function cannot(what: string): UsageError {
  return new UsageError(`cannot use ${what} with --from-snapshot: the box is as it was saved`, {
    code: 'unsupported-option',
    remedy:
      'Only --name, --publish, --rm, --detach, --detach-keys, --sig-proxy and --image-policy apply.',
  });
}
