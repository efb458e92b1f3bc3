/**
 * Makes the code cache of the command line: V8's compiled code after the interactive commands have
 * run.
 *
 *     node build/make-code-cache.cjs BUNDLE
 *
 * @module
 */
import {
  closeSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Script } from 'node:vm';
import { codeCachePath, sealCodeCache } from '../src/cli/code-cache.ts';
import { FakeServer } from '../src/cli/testing/fake-server.ts';
import { readConfig } from '../src/config.ts';

const COMMANDS = [
  'version --client',
  'run -d box signals',
  'run --rm --network none box both',
  'exec box both',
  'ps',
];

async function main(): Promise<void> {
  const bundle = process.argv[2] ?? '';
  const script = new Script(readFileSync(bundle, 'utf8'), { filename: bundle });
  const directory = mkdtempSync(join(tmpdir(), 'a3s-cache-'));
  const server = new FakeServer();
  server.answers.set('GET /containers/json', { json: [] });
  try {
    // Root's sockets lie in /run, where a build has no business.
    process.geteuid = () => 1;
    Object.assign(process.env, { A3S_HOME: directory, XDG_RUNTIME_DIR: directory });
    await server.listen(readConfig(process.env, 1, directory).socket);
    for (const command of COMMANDS) await runOnce(script, bundle, command.split(' '));
  } finally {
    await server.close();
    rmSync(directory, { recursive: true });
  }
  write(codeCachePath(bundle), sealCodeCache(script.createCachedData()));
}

async function runOnce(script: Script, bundle: string, args: readonly string[]): Promise<void> {
  process.argv = [process.execPath, bundle, ...args];
  const loaded = { exports: { finished: Promise.resolve() } };
  script.runInThisContext()(loaded.exports, require, loaded, bundle, dirname(bundle));
  await loaded.exports.finished;
  if (process.exitCode !== 0) throw new Error(`a3s-box ${args.join(' ')}: ${process.exitCode}`);
}

/** Whole, or not at all. */
function write(path: string, bytes: Buffer): void {
  const descriptor = openSync(`${path}.new`, 'w', 0o644);
  try {
    writeSync(descriptor, bytes);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(`${path}.new`, path);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
  process.exitCode = 1;
});
