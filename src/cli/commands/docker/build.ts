import type { BuilderSocket } from '../../../docker-api/a3s/builder.ts';
import { segment } from '../../client/client.ts';
import { objectOf } from '../../client/json.ts';
import type { Command, Invocation } from '../../command.ts';
import type { Context } from '../../context.ts';
import { becomePlugin } from './become-plugin.ts';
import { buildAndSign } from './build-and-sign.ts';
import { BUILDX } from './find-plugin.ts';
import { takeFlag } from './take-flag.ts';

/** The builder of the engine that `DOCKER_HOST` names, whatever the user has chosen elsewhere. */
const OWN_BUILDER = { BUILDX_BUILDER: 'default' };

const VERBATIM = {
  flags: [],
  operands: { min: 0, max: Number.POSITIVE_INFINITY },
  passThrough: true,
  verbatim: true,
} as const;

const DEFAULT = 'default';

async function becomeBuildx(
  given: readonly string[],
  { context }: Pick<Invocation, 'context'>,
): Promise<never> {
  const { value: builder = DEFAULT, args } = takeFlag('--builder', given);
  return becomePlugin(BUILDX, args, {
    context,
    more: OWN_BUILDER,
    socket: await socketOf(context, builder),
  });
}

/** Where the builder of that name builds; undefined for the server's own socket. */
async function socketOf(context: Context, builder: string): Promise<string | undefined> {
  if (builder === DEFAULT) return undefined;
  const client = await context.connect();
  const path = `/a3s/v1/builders/${segment(builder)}/socket`;
  return objectOf<BuilderSocket>(await client.json({ method: 'POST', path })).socket;
}

export const build: Command = {
  ...VERBATIM,
  usage: '[OPTIONS] PATH | URL | -',
  description:
    'Become docker buildx build, with the builder of this installation. All arguments are those of docker build; "a3s-box buildx build --help" lists them, but for --builder: NAME is a builder of this installation, with a microVM and a cache of its own, which its first build makes. Beside them, --sign KEY signs the result, and a provenance of the images that it was made of, with a private key: what image sign and image attest make, here alone.',
  run: async ({ operands, context }) => {
    const { value: key, args } = takeFlag('--sign', operands);
    if (key === undefined) return becomeBuildx(['build', ...args], { context });
    const { value: builder = DEFAULT, args: words } = takeFlag('--builder', args);
    const socket = await socketOf(context, builder);
    return buildAndSign(key, words, { context, more: OWN_BUILDER, socket });
  },
};

export const pruneBuilder: Command = {
  ...VERBATIM,
  usage: '[OPTIONS]',
  description:
    'Become docker buildx prune, with the builder of this installation: remove build cache. All arguments are those of docker buildx prune; --builder NAME is another builder of this installation.',
  run: (invocation) => becomeBuildx(['prune', ...invocation.operands], invocation),
};

export const builderUsage: Command = {
  ...VERBATIM,
  usage: '[OPTIONS]',
  description:
    'Become docker buildx du, with the builder of this installation: list the records of the build cache. All arguments are those of docker buildx du; --builder NAME is another builder of this installation.',
  run: (invocation) => becomeBuildx(['du', ...invocation.operands], invocation),
};

export const buildx: Command = {
  ...VERBATIM,
  usage: '[COMMAND] [ARG...]',
  description:
    'Become docker buildx, with the builder of this installation. All arguments are those of docker buildx; "a3s-box buildx help" lists its commands.',
  run: (invocation) => becomeBuildx(invocation.operands, invocation),
};
