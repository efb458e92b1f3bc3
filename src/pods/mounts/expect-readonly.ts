/**
 * Checks that a mount is read-only, as the kernel was asked to make it.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { MountEntry } from '../../networks/host/mount-table.ts';
import type { PodMount } from '../record/container.ts';

/**
 * @returns whether what is mounted below it is read-only too
 * @throws A3sError `unsupported-option`
 */
export function expectReadonly(
  { hostPath, recursive }: Pick<PodMount, 'hostPath' | 'recursive'>,
  mounted: string,
  table: readonly MountEntry[],
): boolean {
  const own = table.filter(({ path }) => path === mounted);
  const below = table.filter(({ path }) => path.startsWith(`${mounted}/`));
  const isReadonly = ({ options }: MountEntry): boolean => options.includes('ro');
  const isReadonlyBelow = below.every(isReadonly);
  const isReadonlyEnough = isReadonlyBelow || !recursive;
  if (own.length > 0 && own.every(isReadonly) && isReadonlyEnough) return isReadonlyBelow;
  throw new A3sError(
    'unsupported-option',
    `Cannot mount ${hostPath} read-only: this host leaves it writable`,
    { remedy: 'Use a newer kernel on this host.' },
  );
}
