/**
 * Reads Docker's `SecurityOpt`.
 *
 * @module
 */
import { A3sError } from '../../../errors.ts';

export interface SecurityOpt {
  readonly noNewPrivileges: boolean;
  /** `default`, `unconfined`, or the text of a profile; undefined: nothing was asked for. */
  readonly seccomp: string | undefined;
}

/**
 * The forms of labels of SELinux, which no guest has: they ask for nothing, as on a host of
 * Docker's without it.
 */
const LABEL = /^(disable|nested|(user|role|type|level|filetype):.*)$/;

/** As Go reads a boolean. */
const BOOLEANS: Readonly<Record<string, boolean>> = {
  ...{ 1: true, t: true, T: true, TRUE: true, true: true, True: true },
  ...{ 0: false, f: false, F: false, FALSE: false, false: false, False: false },
};

/**
 * The last of an option counts.
 *
 * @throws A3sError `invalid-argument` in Docker's words, `unsupported-option` with the name of the
 * option
 */
export function readSecurityOpt(options: readonly string[]): SecurityOpt {
  let noNewPrivileges = false;
  let seccomp: string | undefined;
  for (const option of options) {
    if (option === 'no-new-privileges') {
      noNewPrivileges = true;
      continue;
    }
    if (option === 'disable') continue;
    // As in Docker, a colon separates where there is no equals sign.
    const [, key = '', value = ''] =
      /^([^=]*)=(.*)$/s.exec(option) ?? /^([^:]*):(.*)$/s.exec(option) ?? [];
    if (key === '') throw invalid(1, option);
    switch (key) {
      case 'no-new-privileges':
        if (!Object.hasOwn(BOOLEANS, value)) throw invalid(2, option);
        noNewPrivileges = BOOLEANS[value] === true;
        break;
      case 'seccomp':
        seccomp = ['', 'builtin'].includes(value) ? 'default' : value;
        break;
      case 'label':
        if (!LABEL.test(value)) throw invalid(2, option);
        break;
      case 'apparmor':
        // The kernel of a guest has no profile to take away.
        if (!['', 'unconfined', 'docker-default'].includes(value)) throw noProfile(value);
        break;
      default:
        throw invalid(2, option);
    }
  }
  return { noNewPrivileges, seccomp };
}

function invalid(form: 1 | 2, option: string): A3sError {
  return new A3sError(
    'invalid-argument',
    `invalid --security-opt ${form}: ${JSON.stringify(option.slice(0, 128))}`,
    {
      remedy:
        'Options are no-new-privileges, seccomp=…, label=…, apparmor=unconfined and systempaths=unconfined.',
    },
  );
}

function noProfile(name: string): A3sError {
  return new A3sError(
    'unsupported-option',
    `Cannot create the box: HostConfig.SecurityOpt is not supported: the kernel of a guest has no AppArmor, and so no profile ${JSON.stringify(name.slice(0, 64))}`,
    { remedy: 'Leave the option out.' },
  );
}
