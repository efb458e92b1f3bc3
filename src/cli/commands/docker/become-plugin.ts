import { become } from '../../client/become.ts';
import type { Context } from '../../context.ts';
import { engineEnvironment } from './engine-environment.ts';
import { findPlugin, type Plugin } from './find-plugin.ts';

interface Surroundings {
  readonly context: Context;
  /** Variables of the program. */
  readonly more?: Readonly<Record<string, string>>;
  /** Of the engine; absent for the server's own. */
  readonly socket?: string | undefined;
}

/** Becomes a program of Docker, with this installation as its engine. */
export async function becomePlugin(
  plugin: Plugin,
  args: readonly string[],
  { context, more = {}, socket }: Surroundings,
): Promise<never> {
  const program = findPlugin(plugin, context.env);
  // Docker's clients start no server.
  await context.connect();
  const server = (await context.config()).socket;
  const env = { ...engineEnvironment(context.env, socket ?? server), ...more };
  return become(program, args, env, []);
}
