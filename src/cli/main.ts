/**
 * The entry of the command line: wires the process to `runCli`. Bundled as CommonJS, which starts soonest.
 *
 * @module
 */
import { constants } from 'node:os';
import { readConfig } from '../config.ts';
import { A3sError } from '../errors.ts';
import { runCli } from './cli.ts';
import { connectOrStart } from './client/start-server.ts';
import type { Context } from './context.ts';
import { printFailure } from './print-failure.ts';

const CRASHED = 125;

let touchedInput = false;

function processContext(installDir: string): Context {
  const config = readConfig(process.env, process.geteuid?.() ?? 0, installDir);
  return {
    config,
    installDir,
    env: process.env,
    cwd: process.cwd(),
    // Opening standard input takes time and may stop a background job: only who reads it opens it.
    get stdin() {
      touchedInput = true;
      return process.stdin;
    },
    stdout: process.stdout,
    stderr: process.stderr,
    connect: () => connectOrStart(config, installDir, process.env),
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

/**
 * A reader that has left, such as `head`, ends this command as SIGPIPE ends others: without a word.
 * Output that cannot be written otherwise, to a full disk say, is a failure whatever was decided.
 */
function endWithoutOutput(): void {
  for (const [name, stream] of Object.entries({ output: process.stdout, error: process.stderr })) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(128 + constants.signals.SIGPIPE);
      const code = error.code === 'ENOSPC' ? 'disk-full' : 'internal';
      printFailure(process, new A3sError(code, `cannot write standard ${name}: ${error.message}`));
      process.exit(CRASHED);
    });
  }
}

process.on('uncaughtException', (error) => {
  printFailure(process, error);
  process.exit(CRASHED);
});
endWithoutOutput();

void runCli(process.argv.slice(2), processContext(__dirname)).then((status) => {
  process.exitCode = status;
  // The only handle that may still be open: output drains by itself, and then the loop is empty.
  if (touchedInput) process.stdin.destroy();
});
