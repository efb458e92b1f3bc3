import type { Command } from '../../command.ts';
import type { Entries, Group } from '../../command-entry.ts';
import type { Place } from '../../completion/model.ts';
import { UsageError } from '../../usage-error.ts';

type Script = (places: readonly Place[]) => string;

const SCRIPTS: Readonly<Record<string, () => Promise<Script>>> = {
  bash: async () => (await import('../../completion/bash.ts')).bashScript,
  fish: async () => (await import('../../completion/fish.ts')).fishScript,
  zsh: async () => (await import('../../completion/zsh.ts')).zshScript,
};

export const completionOf = (
  commands: Entries,
  groups: Readonly<Record<string, Group>>,
): Command => ({
  usage: 'bash|zsh|fish',
  description: [
    'Print a script that completes commands, flags, and the names of boxes and images.',
    'bash: source <(a3s-box completion bash)',
    'zsh:  a3s-box completion zsh > "$fpath[1]/_a3s-box"',
    'fish: a3s-box completion fish > ~/.config/fish/completions/a3s-box.fish',
  ].join('\n'),
  flags: [],
  operands: { min: 1, max: 1 },
  async run({ context, operands }) {
    const [shell = ''] = operands;
    const load = Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined;
    if (load === undefined) {
      throw new UsageError(`unsupported shell ${shell}: there are scripts for bash, zsh and fish`, {
        status: 1,
      });
    }
    const { commandTree } = await import('../../command-tree.ts');
    const { places } = await import('../../completion/model.ts');
    const script = await load();
    context.stdout.write(script(places(await commandTree(commands, groups))));
    return 0;
  },
});
