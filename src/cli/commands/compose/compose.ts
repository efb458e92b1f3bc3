import { become } from '../../client/become.ts';
import type { Command } from '../../command.ts';
import { findCompose } from './find-compose.ts';

/**
 * Variables that would send Docker's clients to another engine than `DOCKER_HOST` names, or have
 * them speak TLS to it.
 */
const OTHER_ENGINE = ['DOCKER_CONTEXT', 'DOCKER_TLS', 'DOCKER_TLS_VERIFY', 'DOCKER_CERT_PATH'];

export const compose: Command = {
  usage: '[COMMAND] [ARG...]',
  description:
    'Become docker compose, with the boxes of this installation as its containers. All arguments are those of docker compose; "a3s-box compose help" lists its commands.',
  flags: [],
  operands: { min: 0, max: Number.POSITIVE_INFINITY },
  passThrough: true,
  verbatim: true,
  async run({ context, operands }) {
    const program = findCompose(context.env);
    // Docker's clients start no server.
    await context.connect();
    const { socket } = await context.config();
    const env: Record<string, string> = {};
    for (const [name, value] of Object.entries(context.env)) {
      if (value !== undefined && !OTHER_ENGINE.includes(name)) env[name] = value;
    }
    return become(program, operands, { ...env, DOCKER_HOST: `unix://${socket}` }, []);
  },
};
