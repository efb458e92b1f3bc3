/**
 * The jail of a box's VMM, as it is: a server may have found a VMM that another one started.
 *
 * @module
 */
import type { Box } from '../../../../boxes/record/box.ts';
import type { ContainerInspect } from '../../../../docker-api/containers/container.ts';
import { readJail } from '../../../../jail/read-jail.ts';

/** Null where no VMM runs. */
export function showJail({ state: { pid } }: Box): ContainerInspect['Jail'] {
  const jail = pid === 0 ? undefined : readJail(pid);
  if (jail === undefined) return null;
  const { userId, namespaces, capabilities, noNewPrivileges, systemCallFilters } = jail;
  return {
    UserId: userId,
    Namespaces: [...namespaces],
    Capabilities: capabilities,
    NoNewPrivileges: noNewPrivileges,
    SystemCallFilters: systemCallFilters,
    Limits: {
      OpenFiles: jail.openFiles ?? null,
      Processes: jail.processes ?? null,
      DataBytes: jail.dataBytes ?? null,
      FileBytes: jail.fileBytes ?? null,
    },
  };
}
