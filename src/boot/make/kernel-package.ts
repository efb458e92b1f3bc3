/**
 * The kernel: Debian's package for cloud machines, downloaded and unpacked, never installed.
 *
 * @module
 */
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { A3sError } from '../../errors.ts';
import { sha256OfFile } from '../digest.ts';
import type { AptEnvironment } from './foreign-apt.ts';
import { runTool } from './tool.ts';

const META_PACKAGE = 'linux-image-cloud-amd64';
/** Of the kernel that was used last, in the cache. */
const PIN = 'kernel.json';
const UPDATE = 'Run apt-get update, and check /etc/apt/sources.list.d.';

export const KernelPackage = z.strictObject({
  package: z.string().regex(/^linux-image-[a-z0-9.+-]+$/),
  version: z.string().regex(/^[A-Za-z0-9.+~:-]+$/),
  /** Of the `.deb`, from apt's signed index. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  size: z.int().min(1),
});
export type KernelPackage = z.infer<typeof KernelPackage>;

/** Variables for apt, besides those of this process. */
type Environment = Partial<AptEnvironment>;

/** `Key: value` paragraphs, as apt prints them; continuation lines are left out. */
export function parseParagraphs(text: string): ReadonlyMap<string, string>[] {
  return text
    .split(/\n{2,}/)
    .filter((paragraph) => paragraph.trim() !== '')
    .map((paragraph) => {
      const fields = new Map<string, string>();
      for (const line of paragraph.split('\n')) {
        const match = /^([A-Za-z0-9-]+): ?(.*)$/.exec(line);
        if (match?.[1] !== undefined) fields.set(match[1], match[2] ?? '');
      }
      return fields;
    });
}

async function show(
  args: readonly string[],
  env: Environment,
): Promise<ReadonlyMap<string, string>[]> {
  const output = await runTool('apt-cache', ['show', ...args], { env, remedy: UPDATE });
  return parseParagraphs(output.toString('utf8'));
}

/**
 * The package that apt would install now.
 *
 * @param metaPackage stands for the newest kernel
 * @param env of an apt that is configured otherwise
 */
export async function resolveKernelPackage(
  metaPackage = META_PACKAGE,
  env: Environment = {},
): Promise<KernelPackage> {
  const [meta] = await show(['--no-all-versions', metaPackage], env);
  const depend = /^(linux-image-\S+) \(= (\S+)\)$/m.exec(meta?.get('Depends') ?? '');
  const name = depend?.[1];
  const version = depend?.[2];
  if (name === undefined || version === undefined) {
    throw missing(`${metaPackage} does not say which kernel it stands for`);
  }
  const digests = new Map<string, number>();
  for (const fields of await show([`${name}=${version}`], env)) {
    if (fields.get('Package') !== name || fields.get('Version') !== version) continue;
    const digest = fields.get('SHA256');
    if (digest !== undefined) digests.set(digest, Number(fields.get('Size')));
  }
  const [found, ...others] = digests;
  if (found === undefined) throw missing(`apt has no SHA-256 of ${name}`);
  if (others.length > 0) throw missing(`apt has several SHA-256 of ${name} ${version}`);
  return KernelPackage.parse({ package: name, version, sha256: found[0], size: found[1] });
}

/** The package pinned in `cache`, or the one of today. */
export async function pinnedKernelPackage(
  cache: string,
  pin = PIN,
): Promise<KernelPackage | undefined> {
  try {
    const text = await readFile(join(cache, pin), 'utf8');
    return KernelPackage.safeParse(JSON.parse(text)).data;
  } catch {
    // Without a usable pin, the package is resolved anew.
    return undefined;
  }
}

export async function pinKernelPackage(
  cache: string,
  kernel: KernelPackage,
  pin = PIN,
): Promise<void> {
  await mkdir(cache, { recursive: true });
  const path = join(cache, pin);
  await writeFile(`${path}.new`, `${JSON.stringify(kernel, null, 2)}\n`);
  await rename(`${path}.new`, path);
}

/** The `.deb` in `cache`, downloaded where it is missing, its digest checked in either case. */
export async function fetchKernelPackage(
  cache: string,
  kernel: KernelPackage,
  env: Environment = {},
): Promise<string> {
  const path = cachedPath(cache, kernel);
  if (await isIntact(path, kernel)) return path;
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, 'download-'));
  try {
    // apt's own unprivileged user cannot write where this lies; the digest is checked below all the
    // same.
    const sandbox = process.getuid?.() === 0 ? ['-o', 'APT::Sandbox::User=root'] : [];
    await runTool(
      'apt-get',
      [...sandbox, '-q', 'download', `${kernel.package}=${kernel.version}`],
      { cwd: work, env, remedy: UPDATE },
    );
    const [file] = (await readdir(work)).filter((name) => name.endsWith('.deb'));
    if (file === undefined) throw missing(`apt-get downloaded nothing for ${kernel.package}`);
    if (!(await isIntact(join(work, file), kernel))) {
      throw missing(`the download of ${kernel.package} does not have the SHA-256 of apt's index`);
    }
    await rename(join(work, file), path);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return path;
}

/** Whether a build can do without the network. */
export async function isCached(cache: string, kernel: KernelPackage): Promise<boolean> {
  return await isIntact(cachedPath(cache, kernel), kernel);
}

function cachedPath(cache: string, kernel: KernelPackage): string {
  return join(cache, `${kernel.sha256}.deb`);
}

async function isIntact(path: string, kernel: KernelPackage): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.size === kernel.size && (await sha256OfFile(path)) === kernel.sha256;
}

export interface KernelTree {
  /** What `uname -r` says in the guest. */
  readonly release: string;
  /** The file `vmlinuz`: a bzImage of amd64, an Image of arm64. */
  readonly image: Buffer;
  /** The directory of its modules. */
  readonly modules: string;
}

/** Unpacks a `.deb` into an empty directory. */
export async function unpackKernelPackage(deb: string, into: string): Promise<KernelTree> {
  await runTool('dpkg-deb', ['-x', deb, into], { remedy: 'Use a Debian machine.' });
  const images = (await readdir(join(into, 'boot'))).filter((name) => name.startsWith('vmlinuz-'));
  const [image] = images;
  if (image === undefined || images.length !== 1)
    throw missing('the package does not hold one kernel');
  const release = image.slice('vmlinuz-'.length);
  const parents = [join(into, 'usr/lib/modules', release), join(into, 'lib/modules', release)];
  for (const modules of parents) {
    if ((await stat(modules).catch(() => undefined))?.isDirectory() !== true) continue;
    return { release, image: await readFile(join(into, 'boot', image)), modules };
  }
  throw missing(`the package has no modules for ${release}`);
}

function missing(why: string): A3sError {
  return new A3sError('internal', `Cannot get the kernel: ${why}`, { remedy: UPDATE });
}
