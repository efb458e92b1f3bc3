/**
 * The spec and the disk with which a pool's microVM is warmed up: the smallest possible box, which
 * no user owns.
 *
 * @module
 */
import { open } from 'node:fs/promises';
import type { BoxSpec } from '@a3s-box/policies';
import { type Disk, TEMPLATE_SLOTS } from '../../engine/engine.ts';
import { DiskBudget } from '../../images/disk-budget.ts';
import { ErofsWriter } from '../../images/erofs/image-writer.ts';
import type { Attributes, DirectoryNode, FileNode, Node } from '../../images/tree/tree.ts';
import { NO_LIMITS } from '../record/limits.ts';
import { NO_NAMES } from '../record/names.ts';
import { NO_SECURITY } from '../record/security.ts';
import { specDocument } from '../spec/box-spec.ts';
import { guestNic } from '../spec/network.ts';
import { warmUpProgram } from './warm-up-program.ts';

/** The last slot is the one that boxes need the least. */
const SLOT = TEMPLATE_SLOTS.layers[6];
const PROGRAM = 'true';
/** The usual PATH of images. The program is in the last directory of it. */
const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const MAC = '02:00:00:00:00:01';
const MOST_BYTES = 4 << 20;

/** The disk, in the last slot of the microVM. */
export function warmUpDisk(path: string): Disk {
  return { path, serial: SLOT, readonly: true };
}

const ATTRIBUTES: Attributes = {
  ...{ mode: 0o755, uid: 0, gid: 0, mtime: { seconds: 0, nanoseconds: 0 } },
  xattrs: new Map(),
};

/** Writes the disk: one program, and the files of users and groups. */
export async function writeWarmUpDisk(path: string): Promise<void> {
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
    bin: directory({ [PROGRAM]: file(warmUpProgram()) }),
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

/** The spec that the guest gets. It resembles an ordinary box's spec as far as possible. */
export function warmUpSpec(network: 'default' | 'none'): BoxSpec {
  const definition = {
    ...{ hostname: 'warm-up', entrypoint: [], cmd: [PROGRAM], env: [PATH] },
    ...{ cwd: '/', user: '', terminal: false, openStdin: false, memoryBytes: 0, nanoCpus: 0 },
    limits: NO_LIMITS,
    security: NO_SECURITY,
  };
  return specDocument(definition, {
    layers: [{ serial: SLOT }],
    changes: { kind: 'disk', serial: TEMPLATE_SLOTS.changes },
    mounts: [],
    network: network === 'none' ? { kind: 'none' } : guestNic(MAC, NO_NAMES),
  });
}
