/**
 * Packages of Debian suites: fetched with apt, never installed.
 *
 * @module
 */
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** What was fetched is kept here from run to run, a directory for each suite. */
export const DEBIAN_CACHE = join(import.meta.dirname, '../../build/cache/debian');
const OUTPUT = 16 * 1024 * 1024;

/** An apt of its own, with one suite and an empty system. */
export class Apt {
  readonly #directory: string;
  readonly #options: readonly string[];
  readonly #suite: string;

  private constructor(directory: string, options: readonly string[], suite: string) {
    this.#directory = directory;
    this.#options = options;
    this.#suite = suite;
  }

  /**
   * @param suite its lists and packages are kept below {@link DEBIAN_CACHE}
   * @param sources it, with those that it builds on
   */
  static async of(suite: string, sources: readonly string[]): Promise<Apt> {
    const directory = join(DEBIAN_CACHE, suite, 'apt');
    for (const path of ['lists/partial', 'archives/partial']) {
      mkdirSync(join(directory, path), { recursive: true });
    }
    const list = join(directory, 'sources.list');
    const site = await archiveSite();
    const lines = sources.map((name) => `deb ${site} ${name} main\n`);
    writeFileSync(list, lines.join(''));
    const status = join(directory, 'status');
    writeFileSync(status, '');
    const settings = {
      'Dir::Etc::sourcelist': list,
      'Dir::Etc::sourceparts': '/dev/null',
      'Dir::State::lists': join(directory, 'lists'),
      'Dir::State::status': status,
      'Dir::Cache': directory,
      'Dir::Cache::archives': join(directory, 'archives'),
      'APT::Sandbox::User': 'root',
      'APT::Default-Release': suite,
      'Debug::NoLocking': 'true',
    };
    const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
    const apt = new Apt(directory, options, suite);
    await apt.run('apt-get', ['update', '-q']);
    return apt;
  }

  run(program: string, args: readonly string[]) {
    return run(program, [...this.#options, ...args], { maxBuffer: OUTPUT });
  }

  /** Fetches packages with all that they depend on; `name` keeps them apart from others'. */
  async download(wanted: readonly string[], name: string): Promise<readonly string[]> {
    const archives = join(this.#directory, name);
    mkdirSync(join(archives, 'partial'), { recursive: true });
    await this.run('apt-get', [
      ...['-o', `Dir::Cache::archives=${archives}`],
      ...['install', '-q', '-y', '--download-only', '--no-install-recommends', ...wanted],
    ]);
    const debs = readdirSync(archives).filter((file) => file.endsWith('.deb'));
    if (debs.length === 0)
      throw new Error(`apt fetched nothing for ${wanted.join(' ')} of ${this.#suite}`);
    return debs.map((file) => join(archives, file));
  }
}

/** That of the Debian archive which this machine's apt uses. */
export async function archiveSite(): Promise<string> {
  const { stdout } = await run('apt-get', ['indextargets', '--format', '$(SITE)']);
  const site = stdout.split('\n').find((line) => /\/debian\/?$/.test(line));
  if (site === undefined) throw new Error('no source of apt is a Debian archive');
  return site;
}
