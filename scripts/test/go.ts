/**
 * The tests of the guest agent, and its fuzz targets.
 *
 * @module
 */
import { join } from 'node:path';
import { GoEvents } from './go-events.ts';
import { type FileResult, type StageReport, singleTest } from './report.ts';
import { type Print, ROOT, runLines } from './run.ts';

/** The tests of boxes execute their own program where there is no dynamic loader, and -race links with the system's C library. */
const RACE = [
  '-race',
  '-tags=netgo,osusergo',
  '-ldflags=-linkmode=external -extldflags=-static',
] as const;

export async function goTests(print: Print, fuzzSeconds: number): Promise<StageReport> {
  const events = new GoEvents();
  const code = await goTest([...RACE, '-json', './...'], print, (line) => print(events.add(line)));
  const files = events.files();
  const failed = files.some(
    ({ tests, errors }) => errors.length > 0 || tests.some(({ state }) => state === 'failed'),
  );
  const errors = code !== 0 && !failed ? [`go test ended with ${code}`] : [];
  return { stage: 'go', files: [...files, ...(await fuzz(print, fuzzSeconds))], errors };
}

function goTest(args: readonly string[], print: Print, onLine: (line: string) => void) {
  return runLines(
    {
      argv: ['go', 'test', ...args],
      cwd: join(ROOT, 'native/agent'),
      env: { GOFLAGS: '-mod=mod', GOPROXY: 'off', GOTOOLCHAIN: 'local' },
    },
    print,
    onLine,
  );
}

interface FuzzTarget {
  readonly package: string;
  readonly name: string;
}

async function fuzzTargets(print: Print): Promise<readonly FuzzTarget[]> {
  const targets: FuzzTarget[] = [];
  let names: string[] = [];
  await goTest(['-list', '^Fuzz', './...'], print, (line) => {
    if (line.startsWith('Fuzz')) names.push(line);
    const path = /^ok\s+(\S+)/.exec(line)?.[1];
    if (path === undefined) return;
    targets.push(...names.map((name) => ({ package: path, name })));
    names = [];
  });
  return targets;
}

/** Go runs one fuzz target at a time. */
async function fuzz(print: Print, seconds: number): Promise<readonly FileResult[]> {
  const results: FileResult[] = [];
  for (const target of await fuzzTargets(print)) {
    const lines: string[] = [];
    const started = performance.now();
    const code = await goTest(
      [
        target.package,
        ...['-run=^$', `-fuzz=^${target.name}$`, `-fuzztime=${seconds}s`, '-parallel=2'],
      ],
      print,
      (line) => lines.push(line),
    );
    const output = code === 0 ? undefined : lines.join('\n');
    print(`${code === 0 ? '✓' : '✗'} ${target.name} (${seconds} s)\n`);
    if (output !== undefined) print(`${output}\n`);
    const name = `${target.package} ${target.name}`;
    results.push(singleTest(name, (performance.now() - started) / 1000, output));
  }
  return results;
}
