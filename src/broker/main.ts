/**
 * The broker's program: it serves, makes the keys of a new broker, or verifies an exported log.
 *
 * @module
 */
import { parseArgs } from 'node:util';
import { A3sError } from '../errors.ts';
import { verifyExport } from './audit/verify-export.ts';
import { readBrokerConfig } from './config/broker-yaml.ts';
import { initBroker } from './init.ts';
import { serveBroker } from './serve.ts';

const FAILED = 1;
const UNUSABLE = 2;
const UNSIGNED = 3;

async function main([verb, ...args]: readonly string[]): Promise<number> {
  // No other user has access to any file that this makes.
  process.umask(0o077);
  const { values } = parseArgs({
    args,
    options: {
      config: { type: 'string' },
      log: { type: 'string' },
      key: { type: 'string' },
      checkpoint: { type: 'string' },
      'allow-unsigned-tail': { type: 'boolean' },
    },
  });
  const { config = 'broker.yaml', log = '', key = '', checkpoint } = values;
  if (verb === 'init') {
    process.stdout.write(await initBroker(await readBrokerConfig(config)));
    return 0;
  }
  if (verb === 'verify')
    return verify({ log, key, checkpoint }, values['allow-unsigned-tail'] === true);
  return serve(config);
}

async function serve(path: string): Promise<number> {
  const config = await readBrokerConfig(path);
  const stop = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
      process.on(signal, () => resolve());
  });
  const broker = await serveBroker(config, { onError: report });
  process.stdout.write(`${JSON.stringify({ serving: broker.ports })}\n`);
  await stop;
  await broker.close();
  return 0;
}

async function verify(
  files: Parameters<typeof verifyExport>[0],
  allowUnsignedTail: boolean,
): Promise<number> {
  const { entries, problem, signed } = await verifyExport(files);
  if (problem !== undefined) {
    process.stdout.write(`entry ${problem.seq} is bad: ${problem.reason}\n`);
    return FAILED;
  }
  // A broker signs the end of each export. A log without any signature can be anybody's.
  const accepted = signed > 0 && (signed === entries || allowUnsignedTail);
  const verdict = accepted ? 'good' : 'unsigned';
  process.stdout.write(`${entries} entries, ${signed} of them signed: ${verdict}\n`);
  return accepted ? 0 : UNSIGNED;
}

/** For the operator. Messages contain no secret: no error of the broker quotes a record. */
function report(error: unknown): void {
  const time = new Date().toISOString();
  const known =
    error instanceof A3sError ? { code: error.code, message: error.message } : undefined;
  const unknown = {
    code: 'internal',
    message: error instanceof Error ? error.stack : String(error),
  };
  process.stderr.write(`${JSON.stringify({ time, ...(known ?? unknown) })}\n`);
}

main(process.argv.slice(2)).then(
  (status) => {
    process.exitCode = status;
  },
  (error: unknown) => {
    process.exitCode = UNUSABLE;
    if (!(error instanceof A3sError)) return report(error);
    const remedy = error.remedy === undefined ? '' : `${error.remedy}\n`;
    process.stderr.write(`a3s-box: ${error.message} (${error.code})\n${remedy}`);
  },
);
