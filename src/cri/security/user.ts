/**
 * The user of a container.
 *
 * @module
 */
import type { LinuxContainerSecurityContext } from '../api/messages.ts';
import { numericId } from '../integer.ts';
import { invalid } from '../refusal.ts';

const OF = 'linux.security_context';

/**
 * `user[:group]`; undefined: the image's.
 *
 * @throws A3sError `invalid-argument`, also for a group without a user, as CRI demands
 */
export function userOf(asked: LinuxContainerSecurityContext | undefined): string | undefined {
  const { runAsUser, runAsGroup, runAsUsername = '' } = asked ?? {};
  if (runAsUser !== undefined && runAsUsername !== '') {
    throw invalid(`${OF}.run_as_username`, 'run_as_user is given too');
  }
  const user =
    runAsUser === undefined ? runAsUsername : numericId(runAsUser.value, `${OF}.run_as_user`);
  if (runAsGroup === undefined) return user === '' ? undefined : user;
  if (user === '') throw invalid(`${OF}.run_as_group`, 'no user is given');
  return `${user}:${numericId(runAsGroup.value, `${OF}.run_as_group`)}`;
}
