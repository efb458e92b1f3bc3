/**
 * Renames a box, in any status.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { checkName } from '../record/name.ts';
import { publish } from '../services/publish.ts';
import type { Services } from '../services/services.ts';

/** @throws A3sError `invalid-argument`, `name-in-use`, in Docker's words */
export function renameBox(rt: Pick<Services, 'store' | 'events'>, id: string, asked: string): void {
  if (asked === '') {
    throw new A3sError('invalid-argument', 'Neither old nor new names may be empty');
  }
  const name = checkName(asked);
  const { name: oldName } = rt.store.expect(id);
  if (name === oldName) {
    throw new A3sError(
      'invalid-argument',
      'Renaming a container with the same name as its current name',
    );
  }
  publish(rt, rt.store.redefine(id, {}, name), 'rename', { oldName: `/${oldName}` });
}
