/**
 * The commands that revoke, that rotate the root key, and of the audit log.
 *
 * @module
 */
import { pipeline } from 'node:stream/promises';
import { segment } from '../../client/client.ts';
import { objectOf } from '../../client/json.ts';
import type { Command, Invocation } from '../../command.ts';
import { bool, byName, int, string } from '../../flags/flag.ts';
import { jsonText } from '../../output/json-text.ts';
import { UsageError } from '../../usage-error.ts';
import { BROKER_FLAGS, brokerClient, TENANT_FLAG } from './broker-client.ts';
import { becomeBroker } from './broker-program.ts';

const PLURALS: Readonly<Record<string, string>> = { policy: 'policies', grant: 'grants' };

export const brokerRevoke: Command = {
  usage: 'policy NAME | grant NAME | sessions  [OPTIONS]',
  description:
    'Take a policy or a grant of a secret broker out of effect at once, for guests that attested\n' +
    'before too, and also what broker.yaml declares; or end the sessions of all guests of a tenant',
  flags: byName([
    ...BROKER_FLAGS,
    TENANT_FLAG,
    bool('lift', 'Put the policy or grant back into effect'),
  ]),
  operands: { min: 1, max: 2 },
  async run(invocation) {
    const { context, flags, operands } = invocation;
    const [what = '', name] = operands;
    const base = `/v1/tenants/${segment(flags.string('tenant') ?? 'default')}`;
    const method = flags.bool('lift') ? 'DELETE' : 'PUT';
    if (what === 'sessions' && name === undefined) {
      if (flags.bool('lift')) throw new UsageError('sessions that ended do not come back');
      const call = await brokerClient(invocation);
      const answer = await call({ method: 'DELETE', path: `${base}/sessions` });
      context.stdout.write(`${String(objectOf<{ ended: number }>(answer).ended)} sessions\n`);
      return 0;
    }
    const plural = Object.hasOwn(PLURALS, what) ? PLURALS[what] : undefined;
    if (plural === undefined || name === undefined) {
      throw new UsageError('it takes policy NAME, grant NAME or sessions', { status: 1 });
    }
    const call = await brokerClient(invocation);
    await call({ method, path: `${base}/${plural}/${segment(name)}/revoked` });
    context.stdout.write(`${name}\n`);
    return 0;
  },
};

export const brokerRootKey: Command = {
  usage: 'rotate [OPTIONS]',
  description:
    'Make a new epoch of the root key of a secret broker. What older epochs encrypt is encrypted\n' +
    'again in the background, and they are removed then: backups before that need the old key file',
  flags: byName(BROKER_FLAGS),
  operands: { min: 1, max: 1 },
  async run(invocation) {
    const [verb = ''] = invocation.operands;
    if (verb !== 'rotate') {
      throw new UsageError(`unknown command: ${verb}: there is rotate alone`, { status: 1 });
    }
    const call = await brokerClient(invocation);
    const answer = await call({ method: 'POST', path: '/v1/root-key/rotate' });
    const { epoch } = objectOf<{ epoch: number }>(answer);
    invocation.context.stdout.write(`epoch ${String(epoch)}\n`);
    return 0;
  },
};

type AuditVerb = (invocation: Invocation) => Promise<number>;

const AUDIT_VERBS: Readonly<Record<string, AuditVerb>> = {
  ls: async (invocation) => {
    const { context, flags } = invocation;
    const call = await brokerClient(invocation);
    const base = `/v1/tenants/${segment(flags.string('tenant') ?? 'default')}`;
    const path = `${base}/audit?from=${flags.int('from') ?? 1}`;
    context.stdout.write(jsonText(await call({ method: 'GET', path })));
    return 0;
  },
  export: async (invocation) => {
    const { stdout } = invocation.context;
    const call = await brokerClient(invocation);
    const onAnswer = (chunks: AsyncIterable<Uint8Array>): Promise<void> =>
      pipeline(chunks, stdout, { end: false });
    await call({ method: 'GET', path: '/v1/audit/export', onAnswer });
    return 0;
  },
  checkpoint: async (invocation) => {
    const call = await brokerClient(invocation);
    const answer = await call({ method: 'GET', path: '/v1/audit/checkpoint' });
    invocation.context.stdout.write(`${JSON.stringify(answer)}\n`);
    return 0;
  },
  verify: ({ context, flags, operands: [, log = ''] }) => {
    const kept = flags.string('checkpoint');
    return becomeBroker(context, [
      ...['verify', '--log', log, '--key', flags.needed('key', String)],
      ...(kept === undefined ? [] : ['--checkpoint', kept]),
      ...(flags.bool('allow-unsigned-tail') ? ['--allow-unsigned-tail'] : []),
    ]);
  },
};

export const brokerAudit: Command = {
  usage: 'ls | export | checkpoint | verify LOG --key FILE  [OPTIONS]',
  description:
    'Read the audit log of a secret broker. export prints all of it, for operators; checkpoint signs\n' +
    'how far it is. verify reads an exported log without a broker, and names its first bad entry:\n' +
    'edited, missing, or continued in another way than a checkpoint that was kept says. Its --key is\n' +
    'the public key that init printed. Exits with 0 if the log is good, 1 if not, 2 if unreadable, 3 if\n' +
    'its end, or all of it, is not signed',
  flags: byName([
    ...BROKER_FLAGS,
    TENANT_FLAG,
    string('checkpoint', 'With verify: a checkpoint that was kept', { value: 'file' }),
    bool('allow-unsigned-tail', 'With verify: accept entries after the last signature'),
    int('from', 'With ls: number of the first entry'),
  ]),
  operands: { min: 1, max: 2 },
  async run(invocation) {
    const [name = '', operand] = invocation.operands;
    const verb = Object.hasOwn(AUDIT_VERBS, name) ? AUDIT_VERBS[name] : undefined;
    if (verb === undefined || (operand !== undefined) !== (name === 'verify')) {
      const known = 'ls, export, checkpoint and verify LOG';
      throw new UsageError(`unknown command: there are ${known}`, { status: 1 });
    }
    return verb(invocation);
  },
};
