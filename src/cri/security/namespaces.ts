/**
 * The namespaces of pods and containers: those that a microVM has.
 *
 * @module
 */
import { NamespaceMode } from '../api/enums.ts';
import type { NamespaceOption } from '../api/messages.ts';
import { unsupported } from '../refusal.ts';

const { POD, CONTAINER, NODE, TARGET } = NamespaceMode;

/**
 * Network and IPC are the pod's, process ids the container's own. Options that are left out ask for
 * nothing.
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
  if (pid === TARGET) {
    throw unsupported(
      `${field}.pid TARGET`,
      'containers cannot enter the PID namespace of another',
    );
  }
  if (pid !== CONTAINER) {
    throw unsupported(`${field}.pid POD`, 'each container has a PID namespace of its own');
  }
  if (usernsOptions !== undefined && usernsOptions.mode !== NODE) {
    throw unsupported(`${field}.userns_options`, 'the users of a pod are those of its own kernel');
  }
}

function host(field: string, name: string): Error {
  return unsupported(
    `${field} NODE (${name})`,
    'a pod is a microVM, which shares nothing of a node',
  );
}
