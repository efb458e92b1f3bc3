import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { NOT_ON_KVM } from './not-on-kvm.ts';

const ROOT = join(import.meta.dirname, '../..');

test('each file that is left out on a host with KVM exists', () => {
  const files = Object.keys(NOT_ON_KVM);
  expect(files.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
});
