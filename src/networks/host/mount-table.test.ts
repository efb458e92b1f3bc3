import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { isMounted } from './mount-table.ts';

it('finds a mount by a path with links in it, and none by a link to a mount', () => {
  const directory = mkdtempSync(join(tmpdir(), 'a3s-mounts-'));
  try {
    symlinkSync('/', join(directory, 'root'));
    symlinkSync('/proc', join(directory, 'proc'));
    expect(isMounted('/proc')).toBe(true);
    expect(isMounted(join(directory, 'root', 'proc'))).toBe(true);
    expect(isMounted(join(directory, 'proc'))).toBe(false);
    expect(isMounted(join(directory, 'missing', 'proc'))).toBe(false);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
