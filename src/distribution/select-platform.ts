/**
 * Selects the image of an index for a platform, by containerd's rules.
 *
 * @module
 */
import { A3sError } from '../errors.ts';
import { type Descriptor, type Index, isManifest } from '../oci/manifest.ts';
import { canRun, type Platform } from '../oci/platform.ts';

/** A platform as users and indexes name it. */
export interface PlatformChoice extends Platform {
  /** Normalised: empty for the baseline of the architecture. */
  readonly variant: string;
}

const PLATFORM = /^[A-Za-z0-9_-]+(?:\/[A-Za-z0-9_-]+){0,2}$/;
const ALIASES: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  'x86-64': 'amd64',
  aarch64: 'arm64',
  i386: '386',
};

/**
 * Parses `--platform`; this host where it is left out.
 *
 * @throws A3sError `invalid-argument` for a text that is no platform, or a platform that boxes on
 * this host cannot run
 */
export function choosePlatform(text: string | undefined, host: Platform): PlatformChoice {
  if (text === undefined || text === '') return normalize({ ...host, variant: '' });
  if (!PLATFORM.test(text)) {
    throw new A3sError(
      'invalid-argument',
      `Cannot use ${JSON.stringify(text.slice(0, 100))} as a platform`,
      { remedy: 'Write it as OS/ARCHITECTURE[/VARIANT], such as linux/amd64.' },
    );
  }
  const [first = '', second, variant = ''] = text.toLowerCase().split('/');
  // One word is an operating system or an architecture.
  const isSystem = first === 'linux' || first === 'windows' || first === 'darwin';
  const [os, architecture] =
    second !== undefined
      ? [first, second]
      : isSystem
        ? [first, host.architecture]
        : [host.os, first];
  const choice = normalize({ os, architecture, variant });
  if (canRun(choice, host)) return choice;
  throw new A3sError(
    'invalid-argument',
    `Cannot pull for ${nameOf(choice)}: boxes on this host are ${host.os}/${host.architecture}`,
    { remedy: `Leave --platform out, or give ${host.os}/${host.architecture}.` },
  );
}

/**
 * The best match: the variant that was asked for, else the nearest older one. Without a variant,
 * only images that run on every machine of the architecture.
 *
 * @throws A3sError `not-in-registry` when none matches; the message names the platforms of the
 * index
 */
export function selectPlatform(index: Index, wanted: PlatformChoice, name: string): Descriptor {
  const manifests = index.manifests.filter(isManifest);
  for (const variant of acceptable(wanted)) {
    const found = manifests.find(({ platform }) => {
      if (!platform) return false;
      const has = normalize({ ...platform, variant: platform.variant ?? '' });
      return (
        has.os === wanted.os && has.architecture === wanted.architecture && has.variant === variant
      );
    });
    if (found !== undefined) return found;
  }
  // An index of one image may leave out the platform; the image's configuration names it.
  const [only, ...others] = manifests;
  if (only !== undefined && others.length === 0 && !only.platform) return only;
  throw noneFor(wanted, manifests, name);
}

/** Variants from the best to the least. */
function acceptable({ architecture, variant }: PlatformChoice): readonly string[] {
  const level = /^v(\d)$/.exec(variant)?.[1];
  if (architecture !== 'amd64' || level === undefined) {
    return variant === '' ? [''] : [variant, ''];
  }
  const lower = Array.from({ length: Math.max(0, Number(level) - 1) }, (_, index) =>
    index === Number(level) - 2 ? '' : `v${Number(level) - 1 - index}`,
  );
  return [variant, ...lower];
}

/** One spelling for each platform. */
function normalize({ os, architecture, variant }: PlatformChoice): PlatformChoice {
  const name = architecture.toLowerCase();
  const normal = ALIASES[name] ?? name;
  const base: Readonly<Record<string, readonly string[]>> = { amd64: ['v1'], arm64: ['v8', '8'] };
  const given = variant.toLowerCase();
  return {
    os: os.toLowerCase(),
    architecture: normal,
    variant: base[normal]?.includes(given) === true ? '' : given,
  };
}

function nameOf({ os, architecture, variant }: PlatformChoice): string {
  return [os, architecture, ...(variant === '' ? [] : [variant])].join('/');
}

function noneFor(wanted: PlatformChoice, manifests: readonly Descriptor[], name: string): A3sError {
  const known = manifests.flatMap(({ platform }) =>
    // Attestations stand beside images as platform unknown/unknown.
    !platform || platform.os === 'unknown'
      ? []
      : [nameOf({ ...platform, variant: platform.variant ?? '' })],
  );
  const list = [...new Set(known)]
    .slice(0, 20)
    .join(', ')
    .replace(/\p{Cc}/gu, ' ');
  return new A3sError(
    'not-in-registry',
    `Cannot pull ${name}: it has no image for ${nameOf(wanted)}${list === '' ? '' : `, only for ${list}`}`,
    { remedy: `Ask the image's publisher for one for ${nameOf(wanted)}.` },
  );
}
