/**
 * Finds a file in the disks of an image, as overlayfs shows them to a guest.
 *
 * @module
 */
import { ErofsReader, type FileKind, type Inode } from './erofs/image-reader.ts';

/** The kernel's limit of links in a path. */
const MOST_LINKS = 40;

/** What a name stands for: one file, or a directory of each layer that has it, uppermost first. */
type Found = readonly [Place, ...Place[]];

interface Place {
  readonly reader: ErofsReader;
  readonly inode: Inode & { readonly kind: FileKind };
}

/**
 * What lies at a path, whose links lead where they lead in the image; undefined where nothing does.
 *
 * @param disks EROFS images, lowest first
 * @param path relative to the root
 * @throws A3sError `invalid-image` for a disk that cannot be read
 */
export async function findFile(
  disks: readonly string[],
  path: string,
): Promise<FileKind | undefined> {
  return await withReaders(disks, [], async (readers) => {
    const [top, ...below] = readers.toReversed();
    if (top === undefined) return undefined;
    const rootOf = async (reader: ErofsReader): Promise<Place> => ({
      ...{ reader, inode: { ...(await reader.root()), kind: 'directory' } },
    });
    const root: Found = [await rootOf(top), ...(await Promise.all(below.map(rootOf)))];
    return await walk(root, Buffer.from(path).toString('latin1'));
  });
}

async function withReaders<T>(
  [path, ...rest]: readonly string[],
  opened: readonly ErofsReader[],
  use: (readers: readonly ErofsReader[]) => Promise<T>,
): Promise<T> {
  if (path === undefined) return await use(opened);
  return await ErofsReader.reading(path, (reader) => withReaders(rest, [...opened, reader], use));
}

async function walk(root: Found, path: string): Promise<FileKind | undefined> {
  let links = 0;
  let above: Found[] = [];
  let here = root;
  const pending = path.split('/');
  for (let name = pending.shift(); name !== undefined; name = pending.shift()) {
    if (here[0].inode.kind !== 'directory') return undefined;
    if (name === '' || name === '.') continue;
    if (name === '..') {
      here = above.pop() ?? root;
      continue;
    }
    const next = await lookUp(here, name);
    if (next === undefined) return undefined;
    const [{ reader, inode }] = next;
    if (inode.kind !== 'symlink') {
      above.push(here);
      here = next;
      continue;
    }
    links += 1;
    if (links > MOST_LINKS) return undefined;
    const target = await reader.target(inode);
    pending.unshift(...target.split('/'));
    if (target.startsWith('/')) [above, here] = [[], root];
  }
  return here[0].inode.kind;
}

/** A file hides what lower layers have; directories of one name are one. */
async function lookUp(directory: Found, name: string): Promise<Found | undefined> {
  const found: Place[] = [];
  for (const { reader, inode } of directory) {
    const child = await reader.child(inode, name);
    if (child === undefined) continue;
    const { kind } = child;
    if (kind === 'whiteout' || (kind !== 'directory' && found.length > 0)) break;
    found.push({ reader, inode: { ...child, kind } });
    if (kind !== 'directory' || child.opaque) break;
  }
  const [top, ...below] = found;
  return top === undefined ? undefined : [top, ...below];
}
