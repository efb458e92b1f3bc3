/**
 * What a signed build says of itself: a provenance of SLSA, version 1.
 *
 * @module
 */
import type { ImageInspect } from '../../../docker-api/images/image.ts';

const BUILD_TYPE = 'https://github.com/moby/buildkit';
const BUILDER = 'a3s-box:builder';

/** Of the last build of the image: the images that it asked for, with what was decided on each. */
export function buildProvenance({ Origins }: Pick<ImageInspect, 'Origins'>) {
  const origin = Origins.find(({ Kind }) => Kind === 'build');
  return {
    buildDefinition: {
      buildType: BUILD_TYPE,
      externalParameters: {},
      resolvedDependencies: (origin?.Bases ?? []).map(
        ({ Name, Manifest, Verdict, Reason, Policy }) => ({
          ...{ uri: `docker://${Name}`, digest: { sha256: Manifest.replace(/^sha256:/, '') } },
          annotations: { verdict: Verdict, reason: Reason, policy: Policy },
        }),
      ),
    },
    runDetails: { builder: { id: BUILDER }, metadata: { finishedOn: origin?.At } },
  };
}
