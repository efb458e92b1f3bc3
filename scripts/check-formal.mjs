// npm run check:formal: proves the models in docs/formal with ProVerif, and holds the results
// against those that are recorded beside them. With --write they are recorded.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = join(dirname(fileURLToPath(import.meta.url)), '../docs/formal');
const recorded = join(folder, 'results.txt');
const named = process.env['PROVERIF'];
const program = named ?? 'proverif';

/** Each model, under the binding that is implemented, and with one part of it taken out. */
const RUNS = [
  ['injection', 'full'],
  ['injection', 'certificate-alone'],
  ['injection', 'without-exporter'],
  ['injection', 'without-exporter-keys-kept'],
  ['injection', 'without-key'],
  ['injection', 'without-purpose'],
  ['injection', 'without-role'],
  ['injection', 'without-instance'],
  ['injection', 'instance-not-named'],
  ['broker-release', 'full'],
  ['broker-release', 'without-exporter'],
  ['broker-release', 'without-purpose'],
  ['broker-release', 'without-role'],
  ['kbs-release', 'kbs'],
  ['kbs-release', 'kbs-key-leaks'],
  ['kbs-release', 'kbs-without-tee-key'],
  ['kbs-release', 'kbs-without-nonce'],
  ['kbs-release', 'kbs-without-purpose'],
  ['broker-pin', 'broker'],
  ['broker-pin', 'broker-without-exporter'],
  ['broker-pin', 'broker-any-spec'],
  ['broker-session', 'broker'],
  ['broker-session', 'broker-without-exporter'],
];

function run(args) {
  return spawnSync(program, args, { cwd: folder, encoding: 'utf8', timeout: 300_000 });
}

/** What ProVerif says of one model; its names of variables have numbers that mean nothing. */
function prove([model, binding]) {
  const args = ['-lib', 'ra-tls.pvl', '-lib', `bindings/${binding}.pvl`, `${model}.pv`];
  const { status, stdout, error } = run(args);
  const lines = (stdout ?? '').split('\n').filter((line) => line.startsWith('RESULT '));
  if (status !== 0 || lines.length === 0) {
    throw new Error(`proverif ${args.join(' ')}: ${error?.message ?? stdout}`);
  }
  const results = lines.map((line) => line.replaceAll(/(?<=\w)_\d+\b/g, '').replaceAll('[]', ''));
  return `${model}, ${binding}\n${results.map((line) => `  ${line}\n`).join('')}`;
}

function main() {
  if (run(['-help']).error?.code === 'ENOENT') {
    if (named !== undefined) {
      console.log(`✗ PROVERIF names ${named}, which is not there`);
      return 1;
    }
    console.log('skipped: there is no proverif; put it on the PATH, or name it in PROVERIF');
    return 0;
  }
  const found = RUNS.map(prove).join('\n');
  if (process.argv.includes('--write')) writeFileSync(recorded, found);
  if (readFileSync(recorded, 'utf8') === found) {
    console.log(`✓ ${RUNS.length} runs, with the results of docs/formal/results.txt`);
    return 0;
  }
  console.log(`✗ the results are not those of docs/formal/results.txt\n\n${found}`);
  return 1;
}

process.exitCode = main();
