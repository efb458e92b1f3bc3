/**
 * The output of `walk.c` for a tree, in a form in which two trees can be compared.
 *
 * @module
 */

/** Path → everything else, one line each. */
export type FileTree = ReadonlyMap<string, string>;

/**
 * Numbers of inodes mean nothing elsewhere: files with several names get the first of these
 * instead.
 *
 * @param without paths that are left out with all below them
 */
export function readTree(output: string, without: readonly string[] = []): FileTree {
  const lines = output.split('\n').filter((line) => line !== '');
  const rows = lines.map((line) => {
    const [path = '', attributes = '', xattrs = '', content = ''] = line.split('\t');
    const fields = attributes.split(' ');
    return {
      path: text(path),
      inode: fields.at(-1) ?? '',
      fields: fields.slice(0, -1),
      xattrs,
      content,
    };
  });
  const kept = rows.filter(
    ({ path }) => !without.some((p) => path === p || path.startsWith(`${p}/`)),
  );
  const firstNames = new Map<string, string>();
  for (const { path, inode } of [...kept].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    if (!firstNames.has(inode)) firstNames.set(inode, path);
  }
  return new Map(
    kept.map(({ path, inode, fields, xattrs, content }) => {
      const links = inode.endsWith(':1') ? '' : `linked with ${firstNames.get(inode)}`;
      return [path, [...fields, xattrs, content, links].join(' ').trimEnd()];
    }),
  );
}

/** The first differences, a sentence each. */
export function differences(a: FileTree, b: FileTree): readonly string[] {
  const paths = [...new Set([...a.keys(), ...b.keys()])].sort();
  return paths
    .filter((path) => a.get(path) !== b.get(path))
    .slice(0, 40)
    .map((path) => `${path}:\n  ${a.get(path) ?? 'missing'}\n  ${b.get(path) ?? 'missing'}`);
}

function text(hex: string): string {
  return Buffer.from(hex, 'hex').toString();
}
