/**
 * The flags for what the processes of a box may do, as the fields of Docker's API that they set.
 * What is not given is left out.
 *
 * @module
 */
import { resolve } from 'node:path';
import type { ProcessOptions } from '../../docker-api/containers/process-options.ts';
import type { Invocation } from '../command.ts';
import { parseDevice, parseDeviceRule } from '../values/device.ts';
import { toMap } from '../values/environment.ts';
import { SYSTEM_PATHS, securityOption } from '../values/security-opt.ts';

/** Fields whose every value but the own namespace is refused. */
type Namespaces = {
  readonly [Name in 'CgroupnsMode' | 'PidMode' | 'UTSMode']?: string | undefined;
};

/** @throws UsageError that names the flag */
export function securityRequest({
  flags,
  context,
}: Invocation): Partial<ProcessOptions> & Namespaces {
  const options = flags.list('security-opt');
  const unmasked = options.includes(SYSTEM_PATHS);
  const others = options
    .filter((option) => option !== SYSTEM_PATHS)
    .map((option) => securityOption(option, (path) => resolve(context.cwd, path)));
  return {
    Annotations: map(flags.list('annotation')),
    CapAdd: given(flags.list('cap-add')),
    CapDrop: given(flags.list('cap-drop')),
    CgroupnsMode: flags.string('cgroupns'),
    DeviceCgroupRules: given(flags.parsedList('device-cgroup-rule', parseDeviceRule)),
    Devices: given(flags.parsedList('device', parseDevice)),
    GroupAdd: given(flags.list('group-add')),
    IpcMode: flags.string('ipc'),
    Isolation: flags.string('isolation'),
    // The server has all paths unmasked where the lists are empty, and Docker's own where there are
    // none.
    MaskedPaths: unmasked ? [] : undefined,
    OomScoreAdj: flags.int('oom-score-adj'),
    PidMode: flags.string('pid'),
    Privileged: flags.given('privileged') ? flags.bool('privileged') : undefined,
    ReadonlyPaths: unmasked ? [] : undefined,
    Runtime: flags.string('runtime'),
    SecurityOpt: given(others),
    Sysctls: map(flags.parsedList('sysctl', parseSysctl)),
    UTSMode: flags.string('uts'),
    UsernsMode: flags.string('userns'),
  };
}

/** @throws RangeError in Docker's words */
function parseSysctl(text: string): string {
  if (/^[^=]+=/.test(text)) return text;
  throw new RangeError(`sysctl '${text}' is not allowed`);
}

function map(entries: readonly string[]): Record<string, string> | undefined {
  return entries.length === 0 ? undefined : toMap(entries);
}

/** A list that nothing was given for is not sent. */
function given<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}
