/**
 * The program that Node starts: it runs the bundle of the command line, which
 * `scripts/build-cli.mjs` wrapped into a function.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { readCodeCache } from './code-cache.ts';

/** The file name of the bundle, which the build fills in. */
declare const BUNDLE: string;

const bundle = join(__dirname, BUNDLE);
const cachedData = readCodeCache(bundle);
const script = new Script(readFileSync(bundle, 'utf8'), {
  filename: bundle,
  ...(cachedData === undefined ? {} : { cachedData }),
});
script.runInThisContext()(module.exports, require, module, bundle, __dirname);
