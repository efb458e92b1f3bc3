/**
 * The namespaces of pods and containers: those that a microVM has.
 *
 * @module
 */
import type { Pids } from '@a3s-box/policies';
import { NamespaceMode } from '../api/enums.ts';
import type { NamespaceOption } from '../api/messages.ts';
import { invalid, quoted, unsupported } from '../refusal.ts';

const { POD, CONTAINER, NODE, TARGET } = NamespaceMode;
/** An id, or its beginning. */
const CONTAINER_ID = /^[0-9a-f]{1,64}$/;

/**
 * Network and IPC are the pod's, which is what options that are left out ask for.
 *
 * @param of `linux.security_context` of a pod, or of a container
 * @throws A3sError `unsupported-option`
 */
export function checkNamespaces(options: NamespaceOption | undefined, of: string): void {
  if (options === undefined) return;
  const field = `${of}.namespace_options`;
  const { network, ipc, pid, usernsOptions } = options;
  if (network === NODE) throw host(`${field}.network`, 'HostNetwork');
  if (ipc === NODE) throw host(`${field}.ipc`, 'HostIPC');
  if (pid === NODE) throw host(`${field}.pid`, 'HostPID');
  for (const [name, mode] of Object.entries({ network, ipc })) {
    if (mode !== POD) throw unsupported(`${field}.${name}`, 'it is the pod’s');
  }
  if (![POD, CONTAINER, TARGET].some((mode) => mode === pid)) {
    throw invalid(`${field}.pid`, `${pid} is no mode`);
  }
  if (usernsOptions !== undefined && usernsOptions.mode !== NODE) {
    throw unsupported(`${field}.userns_options`, 'the users of a pod are those of its own kernel');
  }
}

/**
 * The mode of PIDs that the containers of a pod are to have. Options that are left out are those of
 * an empty message, whose mode is `POD`: containerd reads them so.
 *
 * @throws A3sError `unsupported-option` for the mode `TARGET`
 */
export function podPidsOf(options: NamespaceOption | undefined): 'pod' | 'container' {
  const pid = options?.pid ?? POD;
  if (pid === TARGET) {
    const field = 'linux.security_context.namespace_options.pid TARGET';
    throw unsupported(field, 'a container has one, and a pod has none');
  }
  return pid === POD ? 'pod' : 'container';
}

/**
 * The PID namespace that a container shares; undefined for one of its own. Options that are left
 * out ask for the pod's.
 *
 * @param of `linux.security_context` of the container
 * @throws A3sError `invalid-argument` for the mode `TARGET` without its container
 */
export function pidsOf(options: NamespaceOption | undefined, of: string): Pids | undefined {
  const { pid = POD, targetId = '' } = options ?? {};
  switch (pid) {
    case POD:
      return { kind: 'pod' };
    case TARGET:
      if (!CONTAINER_ID.test(targetId)) {
        const reason = `${quoted(targetId)} is no container`;
        throw invalid(`${of}.namespace_options.target_id`, reason);
      }
      return { kind: 'container', id: targetId };
    default:
      return undefined;
  }
}

function host(field: string, name: string): Error {
  return unsupported(
    `${field} NODE (${name})`,
    'a pod is a microVM, which shares nothing of a node',
  );
}
