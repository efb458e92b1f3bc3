import { become } from '../../client/become.ts';
import type { Invocation } from '../../command.ts';
import { engineEnvironment } from './engine-environment.ts';
import { findPlugin, type Plugin } from './find-plugin.ts';

/** Becomes a program of Docker, with this installation as its engine. */
export async function becomePlugin(
  plugin: Plugin,
  args: readonly string[],
  { context }: Pick<Invocation, 'context'>,
  more: Readonly<Record<string, string>> = {},
): Promise<never> {
  const program = findPlugin(plugin, context.env);
  // Docker's clients start no server.
  await context.connect();
  const { socket } = await context.config();
  return become(program, args, { ...engineEnvironment(context.env, socket), ...more }, []);
}
