import type { PoolBody } from '../../../docker-api/a3s/pool.ts';
import { segment } from '../../client/client.ts';
import type { Command } from '../../command.ts';
import { bool, int, string } from '../../flags/flag.ts';
import { UsageError } from '../../usage-error.ts';
import { parseBytes } from '../../values/size.ts';

const DEFAULT_NAME = 'default';

export const setPool: Command = {
  usage: '--size N [OPTIONS] [NAME]',
  description:
    'Make a pool, or change it: so many microVMs wait, and a box that fits one of them\n' +
    'waits for none to start. Each takes memory while it waits. A pool of size 0 is\n' +
    'empty. With --mounts=false each takes less, and boxes with bind mounts or volumes\n' +
    'of directories come from no microVM of this pool. With --pods they wait for pods\n' +
    'of Kubernetes, and serve no box.',
  flags: [
    int('size', 'Number of microVMs that wait', { value: 'int' }),
    int('cpus', 'Number of CPUs of each (default 1)', { value: 'int' }),
    string('memory', 'Memory that a box can have', { short: 'm', value: 'bytes' }),
    string('network', 'Network of its boxes: default or none', { value: 'network' }),
    bool('mounts', 'Let its boxes mount directories of the host', { on: true }),
    bool('pods', 'Wait for pods of Kubernetes instead of boxes'),
    bool('wait', 'Wait until the pool is full'),
  ],
  operands: { min: 0, max: 1 },
  async run({ context, flags, operands }) {
    const name = operands[0] ?? DEFAULT_NAME;
    const size = whole('size', flags.int('size'), 0);
    const cpus = flags.int('cpus');
    const memoryBytes = flags.parsed('memory', parseBytes);
    const network = flags.parsed('network', parseNetwork);
    const body: PoolBody = {
      size,
      ...(cpus === undefined ? {} : { cpus: whole('cpus', cpus, 1) }),
      ...(memoryBytes === undefined ? {} : { memoryBytes }),
      ...(network === undefined ? {} : { network }),
      ...(flags.given('pods') ? { pods: flags.bool('pods') } : {}),
      ...(flags.given('mounts') ? { mounts: flags.bool('mounts') } : {}),
    };
    const path = `/a3s/v1/pools/${segment(name)}`;
    const client = await context.connect();
    await client.json({ method: 'PUT', path, body });
    if (flags.bool('wait')) await client.json({ method: 'POST', path: `${path}/wait` });
    context.stdout.write(`${name}\n`);
    return 0;
  },
};

/** @throws UsageError */
function whole(flag: string, value: number | undefined, least: number): number {
  if (value !== undefined && value >= least) return value;
  const what = value === undefined ? 'is missing' : `must be at least ${least}`;
  throw new UsageError(`flag --${flag} ${what}`, {
    remedy: "See 'a3s-box pool set --help'.",
  });
}

/** @throws RangeError */
function parseNetwork(text: string): PoolBody['network'] {
  if (text === 'none' || text === 'default') return text;
  throw new RangeError('must be default or none');
}
