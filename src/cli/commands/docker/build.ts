import type { Command, Invocation } from '../../command.ts';
import { becomePlugin } from './become-plugin.ts';
import { buildAndSign } from './build-and-sign.ts';
import { BUILDX } from './find-plugin.ts';
import { withoutSign } from './sign-flag.ts';

/** The builder of the engine that `DOCKER_HOST` names, whatever the user has chosen elsewhere. */
const OWN_BUILDER = { BUILDX_BUILDER: 'default' };

const VERBATIM = {
  flags: [],
  operands: { min: 0, max: Number.POSITIVE_INFINITY },
  passThrough: true,
  verbatim: true,
} as const;

function becomeBuildx(args: readonly string[], invocation: Invocation): Promise<never> {
  return becomePlugin(BUILDX, args, invocation, OWN_BUILDER);
}

export const build: Command = {
  ...VERBATIM,
  usage: '[OPTIONS] PATH | URL | -',
  description:
    'Become docker buildx build, with the builder of this installation. All arguments are those of docker build; "a3s-box buildx build --help" lists them. Beside them, --sign KEY signs the result, and a provenance of the images that it was made of, with a private key: what image sign and image attest make, here alone.',
  run: (invocation) => {
    const { key, args } = withoutSign(invocation.operands);
    return key === undefined
      ? becomeBuildx(['build', ...args], invocation)
      : buildAndSign(key, args, { context: invocation.context, more: OWN_BUILDER });
  },
};

export const pruneBuilder: Command = {
  ...VERBATIM,
  usage: '[OPTIONS]',
  description:
    'Become docker buildx prune, with the builder of this installation: remove build cache. All arguments are those of docker buildx prune.',
  run: (invocation) => becomeBuildx(['prune', ...invocation.operands], invocation),
};

export const builderUsage: Command = {
  ...VERBATIM,
  usage: '[OPTIONS]',
  description:
    'Become docker buildx du, with the builder of this installation: list the records of the build cache. All arguments are those of docker buildx du.',
  run: (invocation) => becomeBuildx(['du', ...invocation.operands], invocation),
};

export const buildx: Command = {
  ...VERBATIM,
  usage: '[COMMAND] [ARG...]',
  description:
    'Become docker buildx, with the builder of this installation. All arguments are those of docker buildx; "a3s-box buildx help" lists its commands.',
  run: (invocation) => becomeBuildx(invocation.operands, invocation),
};
