/**
 * A directory of a test's own.
 *
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** Is gone when the test is over. */
export function testDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'a3s-endorsements-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}
