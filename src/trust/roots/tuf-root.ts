/**
 * A trusted root from a TUF mirror (The Update Framework), kept up to date by its signed metadata.
 *
 * The metadata in the cache is used until it expires, without asking the mirror; so a host that is
 * offline can decide as long as that lasts, and a decision does not wait for the network.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectories } from '../../make-directories.ts';

const FETCH_TIMEOUT_MS = 5000;
const RETRIES = 1;
/** For all of a refresh, which follows every rotation of the root. */
const DEADLINE_MS = 60_000;

export interface TufSource {
  readonly mirror: string;
  /** The first `root.json` that is trusted, as JSON text. */
  readonly root: string;
}

/**
 * Whether a text may be the first `root.json`; its signatures are verified when it is used. It may
 * have expired: the mirror provides its successors.
 *
 * @throws Error that says why not
 */
export function checkFirstRoot(text: string): void {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new Error('its root is not JSON', { cause: error });
  }
  const signed: unknown = Reflect.get(Object(document), 'signed');
  if (Reflect.get(Object(signed), '_type') !== 'root') {
    throw new Error('its root is no root.json of TUF');
  }
}

/** One refresh at a time for one cache: others wait for it. */
const running = new Map<string, Promise<string>>();

/**
 * The text of the target `trusted_root.json`.
 *
 * @param cache directory for the metadata of all mirrors; made where it is missing
 * @throws Error that says what went wrong
 */
export function fetchTufRoot(source: TufSource, cache: string): Promise<string> {
  // Metadata of another first root is kept apart.
  const name = createHash('sha256').update(JSON.stringify([source.mirror, source.root]));
  const directory = join(cache, name.digest('hex'));
  const known = running.get(directory);
  if (known !== undefined) return known;
  const fetching = inTime(fetchInto(source, directory)).finally(() => running.delete(directory));
  running.set(directory, fetching);
  return fetching;
}

async function fetchInto({ mirror, root }: TufSource, directory: string): Promise<string> {
  const { getTrustedRoot } = await import('@sigstore/tuf');
  const { TrustedRoot } = await import('@sigstore/protobuf-specs');
  await makeDirectories(directory, 0o700);
  const rootPath = join(directory, 'first-root.json');
  await writeFile(`${rootPath}.new`, root, { mode: 0o600 });
  await rename(`${rootPath}.new`, rootPath);
  const mirrorURL = mirror.replace(/\/+$/, '');
  await dropTorn(metadataDirectory(directory, mirrorURL));
  try {
    const trusted = await getTrustedRoot({
      ...{ mirrorURL, rootPath, cachePath: directory, forceCache: true },
      ...{ timeout: FETCH_TIMEOUT_MS, retry: { retries: RETRIES } },
    });
    return JSON.stringify(TrustedRoot.toJSON(trusted));
  } catch (error) {
    throw new Error(`the mirror ${mirror} gave none: ${reasonOf(error)}`, { cause: error });
  }
}

/** The TUF client's directory for one mirror. */
function metadataDirectory(directory: string, mirrorURL: string): string {
  const url = new URL(mirrorURL);
  return join(directory, encodeURIComponent(url.host + url.pathname.replace(/\/$/, '')));
}

/** The client writes in place, and cannot continue from a root that a crash has cut short. */
async function dropTorn(metadata: string): Promise<void> {
  const path = join(metadata, 'root.json');
  try {
    JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) await rm(path);
  }
}

/** The innermost cause is the most specific. */
function reasonOf(error: unknown): string {
  let innermost: unknown = error;
  for (let depth = 0; depth < 8; depth += 1) {
    const cause = innermost instanceof Error ? innermost.cause : undefined;
    if (!(cause instanceof Error)) break;
    innermost = cause;
  }
  const text = innermost instanceof Error ? innermost.message : String(innermost);
  return text.replaceAll(/\s+/g, ' ').slice(0, 300);
}

async function inTime(work: Promise<string>): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new Error(`the mirror took longer than ${DEADLINE_MS / 1000} seconds`);
    timer = setTimeout(() => reject(error), DEADLINE_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
