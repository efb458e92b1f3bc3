/**
 * A root filesystem of Debian with the programs of an application in three tiers: nginx, Python,
 * PostgreSQL and redis.
 *
 * @module
 */
import { debianRoot } from './debian-root.ts';

const PACKAGES = [
  ...['nginx-light', 'python3-psycopg2', 'python3-redis', 'postgresql', 'redis-server', 'curl'],
];
/** PostgreSQL needs LLVM only to compile queries. */
const LEFT_OUT = [
  ...['usr/lib/*/libLLVM*', 'usr/lib/*/libz3*', 'usr/lib/postgresql/*/lib/{bitcode,llvmjit*}'],
];

export function tiersRoot(): Promise<string> {
  const remove = `cd "$1" && bash -c 'rm -r ${LEFT_OUT.join(' ')}'`;
  return debianRoot({ name: 'tiers', packages: PACKAGES, hooks: [remove] });
}
