/**
 * Lays out what the fuzzer starts from: `seeds.js ROOT WORK`.
 *
 * @module
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [, , , work = ''] = process.argv;
mkdirSync(join(work, 'corpus/report'), { recursive: true });
writeFileSync(join(work, 'corpus/report/zeros'), new Uint8Array(1184));
