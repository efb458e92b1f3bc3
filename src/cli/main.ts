/**
 * The entry of the command line: wires the process to `runCli`. Bundled as CommonJS, which starts
 * fastest.
 *
 * @module
 */
import { constants } from 'node:os';
import type { Config } from '../config.ts';
import { isDiskFull } from '../disk-full.ts';
import { A3sError } from '../errors.ts';
import { runCli } from './cli.ts';
import type { Context } from './context.ts';
import { printFailure } from './print-failure.ts';

const CRASHED = 125;

let touchedInput = false;

/** Each of these takes a millisecond or two, so it is loaded only when a command uses it. */
function processContext(installDir: string): Context {
  const config = async (): Promise<Config> => {
    const { readConfig } = await import('../config.ts');
    return readConfig(process.env, process.geteuid?.() ?? 0, installDir);
  };
  return {
    config,
    installDir,
    env: process.env,
    cwd: process.cwd(),
    // Opening standard input may also stop a background job.
    get stdin() {
      touchedInput = true;
      return process.stdin;
    },
    get stdout() {
      return output('stdout');
    },
    get stderr() {
      return output('stderr');
    },
    async connect() {
      const { connectOrStart } = await import('./client/connect.ts');
      return connectOrStart(await config(), installDir, process.env);
    },
    async connectRunning() {
      const { connectRunning } = await import('./client/connect.ts');
      return connectRunning(await config());
    },
    onSignals(signals, handler) {
      for (const signal of signals) process.on(signal, handler);
      return {
        [Symbol.dispose]() {
          for (const signal of signals) process.off(signal, handler);
        },
      };
    },
  };
}

const opened = new Set<'stdout' | 'stderr'>();

/**
 * A reader that closes its end, such as `head`, ends this command silently, as SIGPIPE ends others.
 * Any other failure to write output, such as a full disk, makes the command fail, whatever its own
 * result is.
 */
function output(name: 'stdout' | 'stderr'): NodeJS.WriteStream {
  const stream = process[name];
  if (opened.has(name)) return stream;
  opened.add(name);
  return stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(128 + constants.signals.SIGPIPE);
    const code = isDiskFull(error) ? 'disk-full' : 'internal';
    const title = name === 'stdout' ? 'output' : 'error';
    printFailure(context, new A3sError(code, `cannot write standard ${title}: ${error.message}`));
    process.exit(CRASHED);
  });
}

const context = processContext(__dirname);

process.on('uncaughtException', (error) => {
  printFailure(context, error);
  process.exit(CRASHED);
});

async function run(args: readonly string[]): Promise<number> {
  // Checked here, since hardly any command has the flag.
  if (args.some((arg) => arg.startsWith('--env-file'))) {
    const { refuseOptionsOfNode } = await import('./node-options.ts');
    try {
      refuseOptionsOfNode(args);
    } catch (error) {
      printFailure(context, error);
      return CRASHED;
    }
  }
  return runCli(args, context);
}

/** Resolves once the command is over, with its status set. */
export const finished = run(process.argv.slice(2)).then((status) => {
  process.exitCode = status;
  // The only handle that may still be open. Output drains by itself, and then the loop is empty.
  if (touchedInput) process.stdin.destroy();
});
