import type { Command } from '../../../command.ts';
import { byName, string } from '../../../flags/flag.ts';
import { EXEC_FLAGS, runExec } from './exec.ts';

/** The best shell that the box has, as a login shell. */
const DETECT = 'command -v bash >/dev/null 2>&1 && exec bash -l; exec sh -l';

export const shell: Command = {
  usage: '[OPTIONS] BOX',
  description: [
    'Open a shell in a running box: bash where the box has it, sh otherwise, as a login shell.',
    'Commands may also come on STDIN. For a shell in a new box of an image: a3s-box run -it --rm IMAGE sh',
  ].join('\n'),
  flags: byName([
    ...EXEC_FLAGS,
    string('shell', 'Start this program instead of looking for one', { value: 'program' }),
  ]),
  operands: { min: 1, max: 1 },
  run(invocation) {
    const { context, flags, operands } = invocation;
    const program = flags.string('shell');
    return runExec(invocation, {
      box: operands[0] ?? '',
      command: program === undefined ? ['sh', '-c', DETECT] : [program],
      detach: false,
      input: true,
      terminal: context.stdin.isTTY === true,
    });
  },
};
