/**
 * The platform that a client asks for, as Docker reads it: `linux/amd64`, a part of that, or an
 * alias.
 *
 * @module
 */
import type { Runtime } from '../../boxes/runtime.ts';
import { A3sError } from '../../errors.ts';

const COMPONENT = /^[A-Za-z0-9_-]+$/;
const SYSTEMS: ReadonlySet<string> = new Set(['linux', 'windows', 'darwin', 'freebsd']);
const ARCHITECTURES: ReadonlySet<string> = new Set([
  ...['amd64', 'arm64', 'arm', '386', 'ppc64le', 's390x', 'riscv64', 'mips64le', 'loong64'],
]);
const ALIASES: Readonly<Record<string, string>> = {
  ...{ x86_64: 'amd64', 'x86-64': 'amd64', aarch64: 'arm64', armhf: 'arm', i386: '386' },
};

/** Unspecified parts are undefined. */
export interface WantedPlatform {
  readonly os: string;
  readonly architecture: string | undefined;
  readonly variant: string | undefined;
}

/**
 * Undefined where no platform is asked for. Docker's CLI sends the value of `--platform`.
 *
 * @throws A3sError `invalid-argument`
 */
export function parsePlatform(text: string | undefined): WantedPlatform | undefined {
  if (text === undefined || text === '') return undefined;
  const parts = text.split('/');
  if (parts.length > 3) throw invalid(text, 'cannot parse platform specifier');
  const odd = parts.find((part) => !COMPONENT.test(part));
  if (odd !== undefined) {
    throw invalid(
      text,
      `platform specifier component must match ${JSON.stringify(COMPONENT.source)}`,
    );
  }
  const [first = '', second, third] = parts.map((part) => part.toLowerCase());
  if (second !== undefined) return wanted(first, architectureOf(second), third);
  if (SYSTEMS.has(first)) return wanted(first, undefined, undefined);
  const architecture = architectureOf(first);
  if (ARCHITECTURES.has(architecture)) return wanted('linux', architecture, undefined);
  throw invalid(text, 'unknown operating system or architecture');
}

/**
 * Checks the platform of the image for a new box. As in Docker, an image of another platform counts
 * as missing, so that clients pull it.
 *
 * @throws A3sError `no-such-image`
 */
export async function expectPlatform(
  rt: Pick<Runtime, 'images'>,
  platform: WantedPlatform | undefined,
  reference: string,
): Promise<void> {
  if (platform === undefined) return;
  const { os, architecture } = await rt.images.resolve(reference);
  const sameArchitecture = [undefined, architecture].includes(platform.architecture);
  if (platform.os === os && sameArchitecture) return;
  const { variant } = platform;
  const asked = [platform.os, platform.architecture, variant].filter((each) => each !== undefined);
  throw new A3sError(
    'no-such-image',
    `image with reference ${reference.slice(0, 128)} was found but does not match the specified platform: wanted ${asked.join('/')}, actual: ${os}/${architecture}`,
    { remedy: 'Leave --platform out.' },
  );
}

function wanted(os: string, architecture: string | undefined, variant: string | undefined) {
  return { os, architecture, variant };
}

function architectureOf(name: string): string {
  return (Object.hasOwn(ALIASES, name) ? ALIASES[name] : undefined) ?? name;
}

function invalid(text: string, why: string): A3sError {
  return new A3sError('invalid-argument', `${JSON.stringify(text.slice(0, 64))}: ${why}`, {
    remedy: 'Write it as linux/amd64.',
  });
}
