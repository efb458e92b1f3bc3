// Lays the command line into a directory: its entry, the bundle that this runs, and V8's code cache
// of that bundle.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

/**
 * The bundle is the text of one function: so nothing has to be put around it before it is compiled.
 */
const WRAPPED = {
  banner: { js: '(function (exports, require, module, __filename, __dirname) {"use strict";' },
  footer: { js: '})' },
  minifyWhitespace: true,
  minifySyntax: true,
  // A script is no module that could import, and `require` is quicker.
  supported: { 'dynamic-import': false },
};

/**
 * @param directory absolute
 * @param options what esbuild is told for every bundle
 */
export async function buildCli(directory, options) {
  const contents = await bundled({ ...options, ...WRAPPED, entryPoints: ['src/cli/main.ts'] });
  const digest = createHash('sha256').update(contents).digest('hex').slice(0, 16);
  const name = `cli-${digest}.js`;
  writeFileSync(join(directory, name), contents);
  const maker = await bundled({ ...options, entryPoints: ['scripts/make-code-cache.ts'] });
  makeCodeCache(join(directory, name), maker);
  await build({
    ...options,
    entryPoints: ['src/cli/entry.ts'],
    outfile: join(directory, 'a3s-box.cjs'),
    define: { BUNDLE: JSON.stringify(name) },
    // Without `--` Node takes an --env-file of ours for its own.
    banner: { js: '#!/usr/bin/env -S node --' },
  });
  // A link to it is all that an installation needs.
  chmodSync(join(directory, 'a3s-box.cjs'), 0o755);
  for (const file of readdirSync(directory)) {
    if (file.startsWith('cli-') && !file.startsWith(name)) rmSync(join(directory, file));
  }
}

async function bundled(options) {
  const { outputFiles } = await build({ ...options, legalComments: 'eof', write: false });
  return outputFiles[0].contents;
}

/** Nothing of this process's environment changes how V8 compiles there. */
function makeCodeCache(bundle, maker) {
  const { status, stderr, error } = spawnSync(process.execPath, ['-', bundle], {
    env: { PATH: process.env.PATH },
    input: maker,
    encoding: 'utf8',
    timeout: 60_000,
  });
  if (status !== 0) {
    throw new Error(`cannot make the code cache of ${bundle}: ${error?.message ?? stderr}`);
  }
}
