import { become } from '../../client/become.ts';
import type { Invocation } from '../../command.ts';
import { findPlugin, type Plugin } from './find-plugin.ts';

/**
 * Variables that would send Docker's clients to another engine than `DOCKER_HOST` names, or have
 * them speak TLS to it.
 */
const OTHER_ENGINE = ['DOCKER_CONTEXT', 'DOCKER_TLS', 'DOCKER_TLS_VERIFY', 'DOCKER_CERT_PATH'];

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
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(context.env)) {
    if (value !== undefined && !OTHER_ENGINE.includes(name)) env[name] = value;
  }
  return become(program, args, { ...env, ...more, DOCKER_HOST: `unix://${socket}` }, []);
}
