/**
 * A directory for one test.
 *
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** Removed when the test ends. */
export function testDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'a3s-endorsements-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}
