import type { Host, SelfTestResult } from '../../../docker-api/a3s/host.ts';
import { A3sError } from '../../../errors.ts';
import type { Client } from '../../client/client.ts';
import { objectOf } from '../../client/json.ts';
import type { Command } from '../../command.ts';
import {
  type Attempt,
  conclude,
  type Failure,
  passed,
  type Report,
  type Way,
} from '../../doctor/findings.ts';
import { readHostFacts } from '../../doctor/host-facts.ts';
import { describeAttempt, describeFindings, describeHost } from '../../doctor/report-text.ts';
import { bool, string } from '../../flags/flag.ts';
import { UsageError } from '../../usage-error.ts';
import { VERSION } from '../../version.ts';

/** QEMU's accelerators, the fastest first, then libkrun. */
const WAYS: readonly Way[] = [
  { engine: 'qemu', accelerator: 'kvm' },
  { engine: 'qemu', accelerator: 'tcg' },
  { engine: 'krun' },
];

export const doctor: Command = {
  usage: '[OPTIONS]',
  description:
    'Report what this host can do, run a box for itself in each way that microVMs can be executed, and say what is wrong and what to do. The report has no keys and no contents, but paths and user names: read it before you attach it to an issue.',
  flags: [
    string('format', "Format of the report: 'text' (default) or 'json'", { short: 'f' }),
    bool('no-self-test', 'Run no box'),
  ],
  operands: { min: 0, max: 0 },
  async run({ context, flags }) {
    const format = flags.string('format') ?? 'text';
    if (format !== 'text' && format !== 'json') {
      throw new UsageError(`invalid value for --format: ${format} (text or json)`);
    }
    const show = (text: string): void => {
      if (format === 'text') context.stdout.write(text);
    };
    const host = await readHostFacts((await context.config()).home);
    const { client, server } = await ask(context);
    show(describeHost({ version: VERSION, host, server }));
    const selfTests: Attempt[] = [];
    if (client !== undefined && !flags.bool('no-self-test')) {
      show('Self-tests, a box each:\n');
      for (const way of WAYS) {
        const attempt = await selfTest(client, way);
        selfTests.push(attempt);
        show(describeAttempt(attempt));
      }
    }
    const findings = conclude({ host, server, selfTests });
    show(describeFindings(findings));
    if (format === 'json') {
      const report: Report = { version: VERSION, host, server, selfTests, findings };
      context.stdout.write(`${JSON.stringify(report)}\n`);
    }
    const runs = selfTests.length === 0 || selfTests.some(passed);
    return runs && findings.every(({ severity }) => severity !== 'error') ? 0 : 1;
  },
};

/** A server that cannot be reached is a result, as all else is. */
async function ask({ connect }: { connect(): Promise<Client> }): Promise<{
  client: Client | undefined;
  server: Report['server'];
}> {
  try {
    const client = await connect();
    const server = objectOf<Host>(await client.json({ method: 'GET', path: '/a3s/v1/host' }));
    return { client, server };
  } catch (error) {
    return { client: undefined, server: failureOf(error) };
  }
}

async function selfTest(client: Client, way: Way): Promise<Attempt> {
  const { engine, accelerator } = way;
  try {
    const body = accelerator === undefined ? { engine } : { accelerator };
    const call = { method: 'POST', path: '/a3s/v1/host/self-test', body } as const;
    return { ...way, result: objectOf<SelfTestResult>(await client.json(call)) };
  } catch (error) {
    return { ...way, ...failureOf(error) };
  }
}

/** @throws any error that is no answer */
function failureOf(error: unknown): Failure {
  if (!(error instanceof A3sError)) throw error;
  const { code, message, remedy } = error;
  return { failure: { code, message, remedy } };
}
