/**
 * The firmware of confidential boxes: edk2 with the platform in `native/firmware`, compiled so that
 * equal sources and equal tools give equal bytes anywhere. It starts one kernel, and only when
 * kernel, initrd and command line have the hashes that were measured.
 *
 * @module
 */
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { A3sError } from '../errors.ts';
import { sha256, sourceDigest } from './digest.ts';
import {
  type FirmwareSource,
  FirmwareTools,
  fetchFirmwareSource,
  pinFirmwareSource,
  pinnedFirmwareSource,
} from './firmware-source.ts';
import { runTool } from './make/tool.ts';

const PACKAGES = 'gcc g++ make nasm acpica-tools uuid-dev python3';
const REMEDY = `Install the Debian packages ${PACKAGES}.`;

/** Each compiler, and the command that prints its version. */
const TOOLS = {
  gcc: ['/usr/bin/gcc', ['--version']],
  ld: ['/usr/bin/ld', ['--version']],
  nasm: ['/usr/bin/nasm', ['-v']],
  iasl: ['/usr/bin/iasl', ['-v']],
  python3: ['/usr/bin/python3', ['--version']],
} as const satisfies Record<string, readonly [string, readonly string[]]>;

export interface Firmware {
  readonly image: Buffer;
  readonly source: FirmwareSource;
  /** Digest over the directory of our platform. */
  readonly platform: string;
  readonly tools: FirmwareTools;
}

export interface FirmwareOptions {
  /** Directory for sources and build results. */
  readonly cache: string;
  /** Directory of our platform, with the script that compiles, `build.sh`. */
  readonly platform: string;
  /** Takes the source that the archive has now, instead of the one that the last build took. */
  readonly update: boolean;
  readonly step: (line: string) => void;
}

/** The firmware, built where the cache has none of these sources and tools. */
export async function firmware(options: FirmwareOptions): Promise<Firmware> {
  const { cache, update, step } = options;
  await mkdir(cache, { recursive: true });
  const tools = await firmwareTools();
  const platform = await sourceDigest(options.platform);
  const pinned = update ? undefined : await pinnedFirmwareSource(cache);
  const key = (source: FirmwareSource): string => sha256(JSON.stringify([source, tools, platform]));
  if (pinned !== undefined) {
    const image = await cachedImage(cache, key(pinned));
    if (image !== undefined) return { image, source: pinned, platform, tools };
  }
  const { source, original, debian } = await fetchFirmwareSource(cache, pinned);
  await pinFirmwareSource(cache, source);
  const image =
    (await cachedImage(cache, key(source))) ??
    (await compile(options, [original, debian], key(source)));
  step(`firmware  ${source.package} ${source.version}`);
  return { image, source, platform, tools };
}

/** Name and version of each tool, in the order of their names. */
async function firmwareTools(): Promise<FirmwareTools> {
  const versions = Object.entries(TOOLS).map(async ([name, [program, args]]) => {
    const output = await runTool(program, args, { remedy: REMEDY });
    const first = output
      .toString('utf8')
      .split('\n')
      .find((line) => line.trim() !== '');
    return [name, (first ?? '').trim().slice(0, 256)] as const;
  });
  return FirmwareTools.parse(Object.fromEntries(await Promise.all(versions)));
}

/** The digest beside an image detects an image that a full disk cut short. */
async function cachedImage(cache: string, key: string): Promise<Buffer | undefined> {
  try {
    const image = await readFile(join(cache, `firmware-${key}.fd`));
    const digest = await readFile(join(cache, `firmware-${key}.sha256`), 'utf8');
    return sha256(image) === digest.trim() ? image : undefined;
  } catch {
    // Not built yet.
    return undefined;
  }
}

async function compile(
  { cache, platform, step }: FirmwareOptions,
  tarballs: readonly string[],
  key: string,
): Promise<Buffer> {
  const work = await mkdtemp(join(cache, 'firmware-work-'));
  const log = join(cache, 'firmware.log');
  try {
    step('firmware  is compiled, which takes about two minutes');
    const [program, ...args] = [
      ...namespaces(),
      'bash',
      join(platform, 'build.sh'),
      work,
      log,
      ...tarballs,
    ];
    await runTool(program, args, {
      remedy: `Read ${log}. Compiling needs a mount namespace of its own. ${REMEDY}`,
    });
    const image = await readFile(join(work, 'OVMF.fd'));
    await writeFile(join(cache, `firmware-${key}.sha256`), `${sha256(image)}\n`);
    await rename(join(work, 'OVMF.fd'), join(cache, `firmware-${key}.fd`));
    return image;
  } catch (cause) {
    if (cause instanceof A3sError) throw cause;
    throw new A3sError('internal', 'Cannot build the firmware: it wrote no image', { cause });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** All processes started here end with this process, for whatever reason it ends. */
function namespaces(): [string, ...string[]] {
  const user = process.getuid?.() === 0 ? [] : ['unshare', '--map-root-user'];
  const dies = ['setpriv', '--pdeathsig', 'KILL'];
  const alone = ['unshare', '--mount', '--pid', '--fork', '--kill-child=SIGKILL'];
  const [program = 'setpriv', ...args] = [...user, ...dies, ...alone];
  return [program, ...args];
}
