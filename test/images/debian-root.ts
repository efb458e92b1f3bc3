/**
 * A root filesystem of Debian packages, as a plain tar.
 *
 * It takes minutes, the network and mmdebstrap to make, and is kept in `build/cache` by what it is
 * made of.
 *
 * @module
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { archiveSite, DEBIAN_CACHE } from '../debian/apt.ts';

const run = promisify(execFile);
const OUTPUT = 16 * 1024 * 1024;

const SUITE = 'trixie';
/** Nobody reads them. */
const LEFT_OUT = ['doc', 'man', 'locale', 'info', 'i18n'].map((name) => `/usr/share/${name}/*`);

export interface DebianRoot {
  readonly name: string;
  readonly packages: readonly string[];
  /** Options of mmdebstrap that run when the packages are in. */
  readonly hooks?: readonly string[];
  /** What the hooks depend on. */
  readonly inputs?: readonly string[];
}

/** A plain tar, made where it is missing. */
export async function debianRoot({
  name,
  packages,
  hooks = [],
  inputs = [],
}: DebianRoot): Promise<string> {
  const key = JSON.stringify([SUITE, packages, LEFT_OUT, ...hooks, ...inputs]);
  const hash = createHash('sha256').update(key).digest('hex').slice(0, 16);
  const path = join(DEBIAN_CACHE, SUITE, `${name}-${hash}.tar`);
  if (existsSync(path)) return path;
  mkdirSync(dirname(path), { recursive: true });
  const making = `${path}.new.tar`;
  rmSync(making, { force: true });
  const excluded = LEFT_OUT.map((pattern) => `--dpkgopt=path-exclude=${pattern}`);
  const options = ['--variant=minbase', '--quiet', `--include=${packages.join(',')}`, ...excluded];
  const words = [...options, ...hooks.map((hook) => `--customize-hook=${hook}`)];
  await run('mmdebstrap', [...words, SUITE, making, await archiveSite()], { maxBuffer: OUTPUT });
  renameSync(making, path);
  return path;
}
