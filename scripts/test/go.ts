/**
 * The tests of the guest agent, the seeds of its fuzz targets among them, and a search by each
 * target.
 *
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { GoEvents } from './go-events.ts';
import type { Rerun, SecondRun } from './results/flakes.ts';
import { type FileResult, type StageReport, singleTest } from './results/report.ts';
import { type Print, ROOT, runLines } from './run.ts';

/**
 * The tests of boxes execute their own program where there is no dynamic loader, and -race links
 * with the system's C library.
 */
const RACE = [
  '-race',
  '-tags=netgo,osusergo',
  '-ldflags=-linkmode=external -extldflags=-static',
] as const;

/**
 * What bounds a time that a client notices: the race detector makes all of it slower, so its bounds
 * there are others.
 */
const TIMED = ['-run=^TestAStrangerKeeps', './ratls'] as const;

/** A soak extracts an archive of ten million entries. */
const LONG = process.env['SOAK'] === undefined ? [] : ['-timeout=3h'];

/** The checks vet the same sources, with every analysis. */
const NO_VET = '-vet=off';

const AGENT = join(ROOT, 'native/agent');

/** Runs `go test` and returns its exit status. */
export type GoTest = (
  args: readonly string[],
  print: Print,
  onLine: (line: string) => void,
) => Promise<number>;

export async function goTests(
  print: Print,
  fuzzSeconds: number,
  go: GoTest = goTest,
  source = AGENT,
): Promise<StageReport> {
  const raced = await tested(go, [...RACE, ...LONG, '-json', './...'], print);
  const timed = await tested(go, ['-json', '-count=1', ...TIMED], print);
  const fuzzed = fuzzSeconds > 0 ? await fuzz(go, print, fuzzSeconds, source) : NOTHING;
  const none = timed.files.some(({ tests }) => tests.length > 0) ? [] : ['no timed test ran'];
  return {
    stage: 'go',
    files: [...raced.files, ...timed.files.map(asTimed), ...fuzzed.files],
    errors: [...raced.errors, ...timed.errors, ...none, ...fuzzed.errors],
  };
}

const TIMED_SUFFIX = ' (timed)';

function asTimed(file: FileResult): FileResult {
  return { ...file, file: `${file.file}${TIMED_SUFFIX}` };
}

/**
 * Runs again what failed of a package, as it ran first. Undefined for a fuzzer: what it found is
 * found.
 */
export function goAgain(
  { file, tests }: Rerun,
  print: Print,
  go: GoTest = goTest,
): (() => Promise<SecondRun>) | undefined {
  const timed = file.endsWith(TIMED_SUFFIX);
  const path = timed ? file.slice(0, -TIMED_SUFFIX.length) : file;
  if (path.includes(' ')) return undefined;
  // A test within a test has its name behind a slash, and `-run` takes no such alternatives.
  const names = tests === 'all' ? [] : tests.map(([name = '']) => name.split('/', 1)[0] ?? '');
  const chosen = names.length === 0 ? [] : [`-run=^(${[...new Set(names)].join('|')})$`];
  return async () => {
    const printed: string[] = [];
    const say: Print = (text) => {
      printed.push(text);
      print(text);
    };
    const args = [...(timed ? [] : RACE), '-json', '-count=1', ...chosen, path];
    const { files, errors } = await tested(go, args, say);
    const report = { stage: 'go', files: timed ? files.map(asTimed) : files, errors };
    return { report, output: printed.join('') };
  };
}

type Part = Pick<StageReport, 'files' | 'errors'>;

const NOTHING: Part = { files: [], errors: [] };

async function tested(go: GoTest, args: readonly string[], print: Print): Promise<Part> {
  const events = new GoEvents();
  const code = await go(args, print, (line) => print(events.add(line)));
  const files = events.files();
  const failed = files.some(
    ({ tests, errors }) => errors.length > 0 || tests.some(({ state }) => state === 'failed'),
  );
  return { files, errors: code !== 0 && !failed ? [`go test ended with ${code}`] : [] };
}

function goTest(args: readonly string[], print: Print, onLine: (line: string) => void) {
  return runLines(
    {
      argv: ['go', 'test', NO_VET, ...args],
      cwd: AGENT,
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

const TARGET = /^func (Fuzz\w*)\(\w+ \*testing\.F\)/gm;

/** Read off the source: for Go's own list every package is compiled and linked once more. */
export function fuzzTargets(source: string): readonly FuzzTarget[] {
  return readdirSync(source, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('_test.go'))
    .toSorted()
    .flatMap((path) =>
      [...readFileSync(join(source, path), 'utf8').matchAll(TARGET)].map(([, name = '']) => ({
        package: `./${dirname(path)}`,
        name,
      })),
    );
}

/** Go runs one fuzz target at a time. */
async function fuzz(go: GoTest, print: Print, seconds: number, source: string): Promise<Part> {
  const targets = fuzzTargets(source);
  const files: FileResult[] = [];
  for (const target of targets) {
    const lines: string[] = [];
    const started = performance.now();
    const code = await go(
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
    files.push(singleTest(name, (performance.now() - started) / 1000, output));
  }
  // Without targets nothing would be searched, and nothing would fail.
  return { files, errors: targets.length === 0 ? ['no fuzz target was found'] : [] };
}
