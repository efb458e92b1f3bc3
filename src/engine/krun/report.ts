/**
 * The report on libkrun, the other engine: where its library could be, and that it is not
 * implemented yet.
 *
 * @module
 */
import { access } from 'node:fs/promises';
import type { EngineReport } from '../engine-report.ts';

const LIBRARIES = [
  '/usr/local/lib64/libkrun.so.1',
  '/usr/local/lib/libkrun.so.1',
  '/usr/lib64/libkrun.so.1',
  '/usr/lib/x86_64-linux-gnu/libkrun.so.1',
];

/** @param libraries where to look, in order */
export async function reportKrun(libraries: readonly string[] = LIBRARIES): Promise<EngineReport> {
  const found = await Promise.all(
    libraries.map((path) =>
      access(path).then(
        () => true,
        () => false,
      ),
    ),
  );
  const reason = found.includes(true)
    ? 'libkrun is installed, but this version of a3s-box does not drive it yet'
    : 'libkrun.so.1 was not found, and this version of a3s-box does not drive it yet';
  return { name: 'krun', available: false, version: undefined, reason, accelerators: [], tees: [] };
}
