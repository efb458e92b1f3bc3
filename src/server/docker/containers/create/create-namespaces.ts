/**
 * The namespaces of a box that Docker's create document has several words for: each is the box's
 * own, in a kernel of its own.
 *
 * @module
 */
import { A3sError } from '../../../../errors.ts';
import { OWN_KERNEL, unsupported } from './unsupported-options.ts';

interface Mode {
  /** What Docker calls it in its refusals. */
  readonly called: string;
  /** Values that mean a namespace of the box's own. */
  readonly own: readonly string[];
  /** Docker's other values. */
  readonly shared: RegExp;
}

const MODES = {
  IpcMode: {
    called: 'IPC mode',
    // No other box has this kernel, so nothing comes of sharing.
    own: ['', 'private', 'shareable', 'none'],
    shared: /^(host|container:.*)$/,
  },
  UsernsMode: { called: 'user namespace mode', own: ['', 'private'], shared: /^host$/ },
} satisfies Record<string, Mode>;

/**
 * @throws A3sError `unsupported-option` with the option's name, `invalid-argument` in Docker's
 * words
 */
export function checkNamespace(name: keyof typeof MODES, value: string): void {
  const { called, own, shared }: Mode = MODES[name];
  if (own.includes(value)) return;
  if (!shared.test(value)) {
    throw new A3sError('invalid-argument', `invalid ${called}: ${value}`, {
      remedy: 'Leave the option out: the namespace is the box’s own.',
    });
  }
  throw unsupported(`HostConfig.${name}`, `${value.slice(0, 64)}: ${OWN_KERNEL}`);
}
