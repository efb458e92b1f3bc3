/**
 * The firmware of confidential boxes as Debian's source package `edk2`: found in the signed index,
 * downloaded, checked.
 *
 * @module
 */
import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { A3sError } from '../errors.ts';
import { sha256OfFile } from './digest.ts';
import { runTool } from './make/tool.ts';

const PACKAGE = 'edk2';
const UPDATE = 'Run apt-get update, and check /etc/apt/sources.list.d and the network.';

/** Any mirror of the archive: its index is signed by Debian. */
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const PUBLIC_ARCHIVE = [
  'http://deb.debian.org/debian trixie main',
  'http://deb.debian.org/debian-security trixie-security main',
];

const digest = z.string().regex(/^[0-9a-f]{64}$/);
const Tarball = z.strictObject({
  name: z.string().regex(/^edk2_[A-Za-z0-9.+~-]+\.(orig|debian)\.tar\.xz$/),
  /** From the signed index. */
  sha256: digest,
  size: z
    .int()
    .min(1)
    .max(1024 ** 3),
});

export const FirmwareSource = z.strictObject({
  package: z.literal(PACKAGE),
  version: z.string().regex(/^[A-Za-z0-9.+~:-]{1,64}$/),
  /** What the authors released. */
  original: Tarball,
  /** What Debian changes about it. */
  debian: Tarball,
});
export type FirmwareSource = z.infer<typeof FirmwareSource>;

/** The compilers, by name and version: other compilers may write other bytes. */
export const FirmwareTools = z.record(z.string().min(1).max(32), z.string().min(1).max(256));
export type FirmwareTools = z.infer<typeof FirmwareTools>;

/** Names the source of the last build. The archive keeps older ones only for a while. */
export async function pinnedFirmwareSource(cache: string): Promise<FirmwareSource | undefined> {
  try {
    const text = await readFile(join(cache, 'firmware.json'), 'utf8');
    return FirmwareSource.safeParse(JSON.parse(text)).data;
  } catch {
    // Without a usable pin, the source is resolved anew.
    return undefined;
  }
}

export async function pinFirmwareSource(cache: string, source: FirmwareSource): Promise<void> {
  const path = join(cache, 'firmware.json');
  await writeFile(`${path}.new`, `${JSON.stringify(source, null, 2)}\n`);
  await rename(`${path}.new`, path);
}

/**
 * The versions of the source package in `showsrc`'s output.
 *
 * @throws A3sError for one that cannot be used, or none
 */
export function parseSourceIndex(text: string): readonly FirmwareSource[] {
  const paragraphs = text.split(/\n{2,}/).filter((paragraph) => /^Package: edk2$/m.test(paragraph));
  if (paragraphs.length === 0) throw missing('the index of sources does not have it');
  return paragraphs.map(parseParagraph);
}

function parseParagraph(paragraph: string): FirmwareSource {
  const version = /^Version: (\S+)$/m.exec(paragraph)?.[1];
  const list = /^Checksums-Sha256:\n((?: .*\n?)+)/m.exec(paragraph)?.[1] ?? '';
  const files = [...list.matchAll(/^ ([0-9a-f]{64}) (\d+) (\S+)$/gm)].map(
    ([, sha256, size, name = '']) => ({ name, sha256, size: Number(size) }),
  );
  const [original, ...others] = files.filter(({ name }) => name.endsWith('.orig.tar.xz'));
  const [debian, ...more] = files.filter(({ name }) => name.endsWith('.debian.tar.xz'));
  const parsed = FirmwareSource.safeParse({ package: PACKAGE, version, original, debian });
  if (parsed.success && others.length + more.length === 0) return parsed.data;
  throw missing('the index of sources does not name its two tarballs');
}

/** The archive of security updates has its own, in whatever order. */
async function newest(sources: readonly FirmwareSource[]): Promise<FirmwareSource> {
  let [best] = sources;
  for (const source of sources) {
    if (best === undefined || source.version === best.version) continue;
    const question = ['--compare-versions', source.version, 'gt', best.version];
    const isNewer = await runTool('dpkg', question, { remedy: UPDATE }).then(
      () => true,
      () => false,
    );
    if (isNewer) best = source;
  }
  if (best === undefined) throw missing('the index of sources does not have it');
  return best;
}

/**
 * Both tarballs in a directory, downloaded where they are missing, their digests checked in either
 * case.
 */
export interface FirmwareTarballs {
  readonly source: FirmwareSource;
  readonly original: string;
  readonly debian: string;
}

/**
 * Downloads into `cache`. Without `wanted`, downloads the newest version.
 *
 * @param wanted the version that an earlier build used
 */
export async function fetchFirmwareSource(
  cache: string,
  wanted: FirmwareSource | undefined,
): Promise<FirmwareTarballs> {
  if (wanted !== undefined && (await isCached(cache, wanted))) return located(cache, wanted);
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, 'download-'));
  try {
    const apt = await privateApt(work);
    // `wanted` asks for the same bytes, whatever the index says now. A version that is gone is
    // replaced by the current one.
    const index = await apt('apt-cache', ['showsrc', '--only-source', PACKAGE]);
    const source = await newest(parseSourceIndex(index.toString('utf8')));
    const chosen = wanted?.version === source.version ? wanted : source;
    await apt('apt-get', ['-q', 'source', '--download-only', `${PACKAGE}=${chosen.version}`]).catch(
      (error: unknown) => {
        // Some mirrors lack the third file, which only repeats the digests of the two. These are
        // checked below.
        if (!(error instanceof A3sError) || error.code !== 'internal') throw error;
      },
    );
    for (const tarball of [chosen.original, chosen.debian]) {
      const file = join(work, tarball.name);
      if (!(await isIntact(file, tarball))) {
        throw missing(`the download of ${tarball.name} does not have the SHA-256 of the index`);
      }
      await rename(file, join(cache, tarball.name));
    }
    return located(cache, chosen);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function located(cache: string, source: FirmwareSource): FirmwareTarballs {
  const { original, debian } = source;
  return { source, original: join(cache, original.name), debian: join(cache, debian.name) };
}

async function isCached(cache: string, { original, debian }: FirmwareSource): Promise<boolean> {
  for (const tarball of [original, debian]) {
    if (!(await isIntact(join(cache, tarball.name), tarball))) return false;
  }
  return true;
}

async function isIntact(
  path: string,
  { size, sha256 }: { readonly size: number; readonly sha256: string },
): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.size === size && (await sha256OfFile(path)) === sha256;
}

type Apt = (program: string, args: readonly string[]) => Promise<Buffer>;

/**
 * An apt with lists of its own: a machine's usual sources name no source packages, and stay as they
 * are. It takes them from the mirrors of Debian that the machine has.
 */
async function privateApt(work: string): Promise<Apt> {
  const repositories = await debianRepositories();
  const sources = repositories.map((line) => `deb-src [signed-by=${KEYRING}] ${line}\n`);
  const settings = [
    `Dir::Etc::SourceList "${join(work, 'sources.list')}";`,
    'Dir::Etc::SourceParts "/dev/null";',
    `Dir::State::Lists "${join(work, 'lists')}";`,
    `Dir::Cache "${join(work, 'apt')}";`,
    // apt's own unprivileged user cannot write here; what arrives is checked all the same.
    ...(process.getuid?.() === 0 ? ['APT::Sandbox::User "root";'] : []),
  ];
  await mkdir(join(work, 'lists', 'partial'), { recursive: true });
  await mkdir(join(work, 'apt', 'archives', 'partial'), { recursive: true });
  await writeFile(join(work, 'sources.list'), sources.join(''));
  await writeFile(join(work, 'apt.conf'), `${settings.join('\n')}\n`);
  const env = { APT_CONFIG: join(work, 'apt.conf') };
  const apt: Apt = (program, args) => runTool(program, args, { cwd: work, env, remedy: UPDATE });
  await apt('apt-get', ['-q', 'update', '--error-on=any']);
  return apt;
}

async function debianRepositories(): Promise<readonly string[]> {
  const format = '$(ORIGIN)|$(REPO_URI) $(RELEASE) $(COMPONENT)';
  const targets = ['indextargets', '--format', format, 'Created-By: Packages'];
  const output = await runTool('apt-get', targets, { remedy: UPDATE });
  const found = [...output.toString('utf8').matchAll(/^Debian\|(\S+ \S+ main)$/gm)];
  return found.length > 0 ? found.map(([, line = '']) => line) : PUBLIC_ARCHIVE;
}

function missing(why: string): A3sError {
  return new A3sError('internal', `Cannot get the source of the firmware: ${why}`, {
    remedy: UPDATE,
  });
}
