/**
 * A read-only disk with one program: the layer of a microVM that runs no image.
 *
 * @module
 */
import { open } from 'node:fs/promises';
import { DiskBudget } from '../../images/disk-budget.ts';
import { ErofsWriter } from '../../images/erofs/image-writer.ts';
import type { Attributes, DirectoryNode, FileNode, Node } from '../../images/tree/tree.ts';

const MOST_BYTES = 4 << 20;

const ATTRIBUTES: Attributes = {
  ...{ mode: 0o755, uid: 0, gid: 0, mtime: { seconds: 0, nanoseconds: 0 } },
  xattrs: new Map(),
};

/**
 * Writes the disk: the program in `/bin`, and the files of users and groups.
 *
 * @param path a new file, mode 0600
 * @throws A3sError `disk-full`
 */
export async function writeProgramDisk(path: string, name: string, program: Buffer): Promise<void> {
  const contents = new Map<FileNode, Buffer>();
  const file = (content: Buffer | string): FileNode => {
    const data = Buffer.from(content);
    const entry = contents.size;
    const node: FileNode = {
      ...{ kind: 'file', attributes: ATTRIBUTES, size: data.length, layer: 0, entry },
    };
    contents.set(node, data);
    return node;
  };
  const root = directory({
    bin: directory({ [name]: file(program) }),
    etc: directory({
      group: file('root:x:0:\nbin:x:1:root\n'),
      passwd: file('root:x:0:0:root:/root:/bin/sh\nbin:x:1:1:bin:/bin:/bin/sh\n'),
    }),
  });
  const disk = await open(path, 'wx', 0o600);
  try {
    const writer = new ErofsWriter(root, disk, new DiskBudget(path, MOST_BYTES));
    for (let next = writer.next; next !== undefined; next = writer.next) {
      await writer.writeData(once(contents.get(next) ?? Buffer.alloc(0)));
    }
    await writer.finish();
  } finally {
    await disk.close();
  }
}

function directory(children: Readonly<Record<string, Node>>): DirectoryNode {
  const entries = new Map(Object.entries(children));
  return {
    ...{ kind: 'directory', attributes: ATTRIBUTES, children: entries },
    ...{ opaque: false, explicit: true },
  };
}

async function* once(data: Buffer): AsyncGenerator<Buffer> {
  yield data;
}
