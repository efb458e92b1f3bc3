/**
 * What the processes of a box may do, in Docker's create document.
 *
 * @module
 */
import type * as z from 'zod';
import { Security } from '../../../../boxes/record/security.ts';
import { checkCapabilities } from '../../../../boxes/spec/confinement/capabilities.ts';
import { confinementOf, GUEST_DEVICES } from '../../../../boxes/spec/confinement/confinement.ts';
import { readDeviceRule } from '../../../../boxes/spec/confinement/device-rules.ts';
import { sysctlsOf } from '../../../../boxes/spec/sysctls.ts';
import type { ProcessOptions } from '../../../../docker-api/containers/process-options.ts';
import { A3sError } from '../../../../errors.ts';
import { checkNamespace } from './create-namespaces.ts';
import { unsupported } from './unsupported-options.ts';

type Asked = z.output<typeof ProcessOptions>;

const SCORE = 1000;
const DOMAIN = /^[A-Za-z0-9._-]{1,64}$/;

/**
 * Everything is checked here, before there is a record.
 *
 * @throws A3sError `invalid-argument`, `unsupported-option` with the option's name
 */
export function securityOf(asked: Asked, domainname: string): Security {
  checkCapabilities(asked.CapAdd, 'CapAdd');
  checkCapabilities(asked.CapDrop, 'CapDrop');
  checkScore(asked.OomScoreAdj);
  // Those of a privileged box permit nothing more, and are read nowhere else.
  for (const rule of asked.DeviceCgroupRules) readDeviceRule(rule);
  checkNamespace('IpcMode', asked.IpcMode);
  checkNamespace('UsernsMode', asked.UsernsMode);
  checkAnnotations(asked.Annotations);
  checkPaths('MaskedPaths', asked.MaskedPaths);
  checkPaths('ReadonlyPaths', asked.ReadonlyPaths);
  if (domainname !== '' && !DOMAIN.test(domainname)) {
    throw new A3sError('invalid-argument', `invalid domainname format: ${domainname}`);
  }
  const security = Security.parse({
    capAdd: asked.CapAdd,
    capDrop: asked.CapDrop,
    groupAdd: asked.GroupAdd,
    securityOpt: asked.SecurityOpt,
    ...(asked.MaskedPaths === undefined ? {} : { maskedPaths: asked.MaskedPaths }),
    ...(asked.ReadonlyPaths === undefined ? {} : { readonlyPaths: asked.ReadonlyPaths }),
    oomScoreAdj: asked.OomScoreAdj,
    sysctls: asked.Sysctls,
    domainname,
    annotations: asked.Annotations,
    ipcMode: asked.IpcMode === '' ? 'private' : asked.IpcMode,
    usernsMode: asked.UsernsMode,
    isolation: isolationOf(asked.Isolation),
    runtime: runtimeOf(asked.Runtime),
    privileged: asked.Privileged,
    devices: devicesOf(asked.Devices),
    deviceRules: asked.DeviceCgroupRules,
  });
  sysctlsOf(security.sysctls, domainname);
  confinementOf(security);
  return security;
}

function isolationOf(asked: string): Security['isolation'] {
  if (asked === '' || asked === 'default') return asked;
  throw unsupported('HostConfig.Isolation', 'it is of Windows, and Linux has default alone');
}

/** Clients send `runc` where they mean the default, by its name in Docker. */
function runtimeOf(asked: string): Security['runtime'] {
  if (asked === '') return 'a3s-box';
  if (asked === 'a3s-box' || asked === 'runc') return asked;
  throw unsupported('HostConfig.Runtime', 'there is one runtime, a3s-box');
}

function checkScore(score: number): void {
  if (Math.abs(score) <= SCORE) return;
  throw new A3sError(
    'invalid-argument',
    `Invalid value ${score}, range for oom score adj is [-${SCORE}, ${SCORE}]`,
  );
}

function checkAnnotations(annotations: Asked['Annotations']): void {
  if (!Object.hasOwn(annotations, '')) return;
  throw new A3sError(
    'invalid-argument',
    'invalid Annotations: the empty string is not permitted as an annotation key',
  );
}

/** Docker passes over a path that leads nowhere; one that is not absolute never leads anywhere. */
function checkPaths(field: string, paths: readonly string[] | undefined): void {
  const relative = paths?.find((path) => !path.startsWith('/'));
  if (relative === undefined) return;
  throw new A3sError(
    'invalid-argument',
    `invalid ${field}: ${JSON.stringify(relative.slice(0, 128))} is not an absolute path`,
  );
}

function devicesOf(asked: Asked['Devices']): Security['devices'] {
  const devices = asked.map(({ PathOnHost, PathInContainer, CgroupPermissions }) => {
    const path = GUEST_DEVICES.find((known) => known === PathOnHost);
    if (path === undefined || !['', path].includes(PathInContainer)) {
      const why = `a box has devices of its own microVM alone, in their places: ${GUEST_DEVICES.join(' and ')}`;
      throw unsupported('HostConfig.Devices', `${PathOnHost.slice(0, 64)}: ${why}`);
    }
    if (!/^(?:(?!(.).*\1)[rwm]*)$/.test(CgroupPermissions)) {
      throw new A3sError(
        'invalid-argument',
        `invalid device mode: ${JSON.stringify(CgroupPermissions)}`,
      );
    }
    if (!/^(?=.*r)(?=.*w)|^$/.test(CgroupPermissions)) {
      throw unsupported('HostConfig.Devices', `${path} can be read and written, and not less`);
    }
    return { path, permissions: CgroupPermissions };
  });
  return devices.filter(({ path }, at) => devices.findIndex((other) => other.path === path) === at);
}
