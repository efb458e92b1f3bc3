/**
 * The Dockerfiles of `test/dockerfiles`, in the shapes of real projects: built by this server with
 * BuildKit, and by Buildah, and files and configuration compared. Only a soak runs all of them.
 */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import * as z from 'zod';
import { buildImage, busyboxImage, dockerArchive } from '../../images/build-image.ts';
import { TOOLS, toolsRoot } from '../../images/tools-image.ts';
import { Buildah, type ImageConfig } from '../../peers/buildah.ts';
import { differences, type FileTree, readTree } from '../file-tree.ts';
import { BuildHome } from './home.ts';

const DOCKERFILES = join(import.meta.dirname, '../../dockerfiles');
/** The first build takes the base image into the builder. */
const DEADLINE_MS = 600_000;
const RUNTIME = 'build.example/runtime:1';

const Description = z.strictObject({
  args: z.array(z.string()).default([]),
  /** Why Buildah makes something else of it. */
  withoutBuildah: z.string().optional(),
  /** What is in files of the result. */
  files: z.record(z.string(), z.string()),
});

let build: BuildHome;
const buildah = new Buildah();
const directory = mkdtempSync(join(tmpdir(), 'a3s-dockerfiles-'));
const walker = join(directory, 'walk');

beforeAll(async () => {
  execFileSync('gcc', ['-static', '-O2', '-o', walker, join(import.meta.dirname, '../walk.c')]);
  build = await BuildHome.start();
  const runtime = join(directory, 'runtime.tar');
  const image = busyboxImage(RUNTIME);
  const motd = [{ path: 'etc/motd', data: 'hello\n' }];
  writeFileSync(
    runtime,
    dockerArchive([buildImage({ ...image, layers: [...image.layers, motd] })]),
  );
  await docker(['load', '--input', runtime]);
  await docker(['import', await toolsRoot(), TOOLS]);
  for (const name of [RUNTIME, TOOLS]) await handOver(name);
}, DEADLINE_MS);

afterAll(async () => {
  await build?.remove();
  buildah.remove();
  rmSync(directory, { recursive: true });
}, DEADLINE_MS);

it.each(readdirSync(DOCKERFILES))(
  'builds %s',
  async (name) => {
    const context = join(directory, name);
    cpSync(join(DOCKERFILES, name), context, { recursive: true, verbatimSymlinks: true });
    const description = join(context, 'build.json');
    const { args, withoutBuildah, files } = Description.parse(
      JSON.parse(readFileSync(description, 'utf8')),
    );
    rmSync(description);
    packProgram(context);
    const built = `built.example/${name}:1`;
    await docker(['build', '--tag', built, ...args, '.'], context);
    await handOver(built);
    const tree = await buildah.mounted(built, (root) => {
      for (const [path, text] of Object.entries(files)) {
        expect(readFileSync(join(root, path), 'utf8'), path).toMatch(new RegExp(text));
      }
      return treeOf(root);
    });
    if (withoutBuildah !== undefined) return;
    const peer = `peer.example/${name}:1`;
    await buildah.build(args, context, peer);
    expect(differences(tree, await buildah.mounted(peer, treeOf))).toEqual([]);
    const [shown] = JSON.parse(await docker(['image', 'inspect', built])) as {
      Config: ImageConfig;
    }[];
    expect(comparable(shown?.Config ?? {})).toEqual(comparable(await buildah.config(peer)));
  },
  DEADLINE_MS,
);

/** Docker's command line at this server, which has to succeed. */
async function docker(args: readonly string[], cwd = directory): Promise<string> {
  const ran = await build.docker(args, { cwd });
  expect(ran, `${ran.stdout}${ran.stderr}`).toMatchObject({ status: 0 });
  return ran.stdout;
}

/** A release of a C program, as it is downloaded. */
function packProgram(context: string): void {
  const source = join(context, 'prog-1.0');
  if (!existsSync(source)) return;
  execFileSync('tar', [
    '-czf',
    `${source}.tar.gz`,
    '--owner=0',
    '--group=0',
    '-C',
    context,
    'prog-1.0',
  ]);
  rmSync(source, { recursive: true });
}

async function handOver(name: string): Promise<void> {
  const archive = join(directory, 'image.tar');
  await docker(['save', '--output', archive, name]);
  await buildah.load(archive);
  rmSync(archive);
}

/** Steps of Buildah leave empty files where it mounts its own. */
const MOUNTED = ['/etc/hostname', '/etc/hosts', '/etc/resolv.conf'];

/** Without times, and without the sizes of directories, which are those of a file system. */
function treeOf(root: string): FileTree {
  const output = execFileSync(walker, [root], { encoding: 'utf8', maxBuffer: 1 << 30 });
  return new Map([...readTree(output, MOUNTED)].map(([path, line]) => [path, withoutTimes(line)]));
}

/** The fields are the type, the mode, both owners, the size, the time, and others. */
function withoutTimes(line: string): string {
  const [type = '', ...fields] = line.split(' ');
  const left = fields.filter((_, at) => at !== 4 && !(type === DIRECTORY && at === 3));
  return [type, ...left].join(' ');
}
const DIRECTORY = '40000';

/** What Docker documents of a configuration; empty values are left out. */
const MEMBERS = [
  ...['Env', 'Cmd', 'Entrypoint', 'WorkingDir', 'User', 'ExposedPorts', 'Volumes', 'Labels'],
  ...['StopSignal', 'Healthcheck', 'OnBuild', 'Shell'],
];

function comparable(config: ImageConfig): ImageConfig {
  return Object.fromEntries(
    MEMBERS.map((name) => [name, shown(config[name], name)]).filter(([, value]) => !isEmpty(value)),
  );
}

/** Buildah names itself in a label, and moves a variable that is set again to the end. */
function shown(value: unknown, member: string): unknown {
  if (member === 'Env' && Array.isArray(value)) return value.toSorted();
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  const { 'io.buildah.version': _, ...others } = value as Record<string, unknown>;
  return others;
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
