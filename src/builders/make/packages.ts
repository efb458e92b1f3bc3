/**
 * The Debian packages that a builder's root is made of: downloaded and unpacked, never installed.
 *
 * @module
 */
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { sha256OfFile } from '../../boot/digest.ts';
import { parseParagraphs } from '../../boot/make/kernel-package.ts';
import { runTool } from '../../boot/make/tool.ts';
import { A3sError } from '../../errors.ts';

const WANTED = ['docker.io', 'git', 'iptables', 'busybox-static', 'qemu-user'];
/**
 * What those depend on and a builder does not use. A library that is missed here fails the making
 * of the root.
 */
const UNUSED = new RegExp(
  `^(${[
    ...['adduser', 'base-passwd', 'passwd', 'login\\.defs', 'debconf', 'libdebconfclient0'],
    ...['gcc-14-base', 'git-man', 'init-system-helpers', 'sysvinit-utils', 'tini', 'openssl.*'],
    ...['perl.*', 'libperl.*', 'liberror-perl', 'libgdbm.*', 'libdb5.*', 'libpam.*', 'libaudit.*'],
    ...[
      'libsemanage.*',
      'libsepol.*',
      'libcap-ng0',
      'libacl1',
      'libattr1',
      'libbz2.*',
      'libcrypt1',
    ],
    ...['libbsd0', 'libmd0'],
  ].join('|')})$`,
);
const UPDATE = 'Run apt-get update, and check /etc/apt/sources.list.d.';
const PIN = 'builder.json';

const DebianPackage = z.strictObject({
  package: z.string().regex(/^[a-z0-9][a-z0-9.+-]+$/),
  version: z.string().regex(/^[A-Za-z0-9.+~:-]+$/),
  /** Of the `.deb`, from apt's signed index. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  size: z.int().min(1),
});
export type DebianPackage = z.infer<typeof DebianPackage>;
const Pins = z.array(DebianPackage).min(1);

/** The `.deb` of each package in `cache`, in the order of the names. */
export interface Packages {
  readonly packages: readonly DebianPackage[];
  readonly debs: readonly string[];
}

/**
 * Those that were used last, or what apt has now where they were not, or are not to be had any
 * more.
 */
export async function fetchPackages(cache: string, update: boolean): Promise<Packages> {
  const pinned = update ? undefined : await readPins(cache);
  if (pinned !== undefined) {
    const fetched = await fetchAll(cache, pinned).catch(() => undefined);
    if (fetched !== undefined) return fetched;
  }
  const fetched = await fetchAll(cache, await resolvePackages(cache));
  const pins = join(cache, PIN);
  await writeFile(`${pins}.new`, `${JSON.stringify(fetched.packages, null, 2)}\n`);
  await rename(`${pins}.new`, pins);
  return fetched;
}

async function readPins(cache: string): Promise<readonly DebianPackage[] | undefined> {
  try {
    const pins = Pins.parse(JSON.parse(await readFile(join(cache, PIN), 'utf8')));
    const names = new Set(pins.map((one) => one.package));
    // An earlier release may have wanted less.
    return WANTED.every((name) => names.has(name)) ? pins : undefined;
  } catch {
    // Without usable pins, the packages are resolved anew.
    return undefined;
  }
}

/** What apt would install now on a machine that has nothing. */
async function resolvePackages(cache: string): Promise<readonly DebianPackage[]> {
  const work = await mkdtemp(join(cache, 'download-'));
  try {
    await writeFile(join(work, 'status'), '');
    const settings = { 'Dir::State::status': join(work, 'status'), 'Debug::NoLocking': 'true' };
    const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
    const output = await runTool(
      'apt-get',
      [...options, '-q', '--simulate', '--no-install-recommends', 'install', ...WANTED],
      { remedy: UPDATE },
    );
    const lines = output.toString('utf8').matchAll(/^Inst (\S+) \((\S+) /gm);
    const names = [...lines].flatMap(([, name = '', version]) =>
      UNUSED.test(name) ? [] : [`${name}=${version}`],
    );
    const shown = await runTool('apt-cache', ['show', ...names], { remedy: UPDATE });
    return parsePackages(shown.toString('utf8'), names);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** @param names `package=version` of each that `text`, from apt-cache, has to describe */
export function parsePackages(text: string, names: readonly string[]): readonly DebianPackage[] {
  const found = new Map<string, DebianPackage>();
  for (const fields of parseParagraphs(text)) {
    const [name, version] = [fields.get('Package'), fields.get('Version')];
    const parsed = DebianPackage.safeParse({
      ...{ package: name, version, sha256: fields.get('SHA256'), size: Number(fields.get('Size')) },
    });
    if (parsed.success) found.set(`${name}=${version}`, parsed.data);
  }
  return [...names].sort().map((name) => {
    const one = found.get(name);
    if (one === undefined) throw missing(`apt has no SHA-256 of ${name}`);
    return one;
  });
}

async function fetchAll(cache: string, packages: readonly DebianPackage[]): Promise<Packages> {
  const directory = join(cache, 'builder');
  await mkdir(directory, { recursive: true });
  const place = (one: DebianPackage): string => join(directory, `${one.sha256}.deb`);
  const absent: DebianPackage[] = [];
  for (const one of packages) if (!(await isIntact(place(one), one))) absent.push(one);
  if (absent.length > 0) await download(directory, absent, place);
  return { packages, debs: packages.map(place) };
}

async function download(
  directory: string,
  packages: readonly DebianPackage[],
  place: (one: DebianPackage) => string,
): Promise<void> {
  const work = await mkdtemp(join(directory, 'download-'));
  try {
    // apt's own unprivileged user cannot write where this lies; the digests are checked below.
    const sandbox = process.getuid?.() === 0 ? ['-o', 'APT::Sandbox::User=root'] : [];
    const names = packages.map((one) => `${one.package}=${one.version}`);
    await runTool('apt-get', [...sandbox, '-q', 'download', ...names], {
      ...{ cwd: work, remedy: UPDATE },
    });
    const files = (await readdir(work)).filter((name) => name.endsWith('.deb'));
    const fetched = new Map<string, string>();
    for (const file of files) fetched.set(await sha256OfFile(join(work, file)), join(work, file));
    for (const one of packages) {
      const file = fetched.get(one.sha256);
      if (file === undefined) {
        throw missing(`the download of ${one.package} does not have the SHA-256 of apt's index`);
      }
      await rename(file, place(one));
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function isIntact(path: string, { size, sha256 }: DebianPackage): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.size === size && (await sha256OfFile(path)) === sha256;
}

function missing(why: string): A3sError {
  return new A3sError('internal', `Cannot get the packages of the builder: ${why}`, {
    remedy: UPDATE,
  });
}
