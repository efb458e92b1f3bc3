/** An operating system and an architecture, in Go's spelling, as images name them. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
}

const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
};

/** Other architectures whose guests a host emulates, by its own. */
const EMULATED: Readonly<Record<string, readonly string[]>> = { amd64: ['arm64'] };

/** The platform that boxes on this host run, unless another one is asked for. */
export function hostPlatform(): Platform {
  return { os: 'linux', architecture: ARCHITECTURES[process.arch] ?? process.arch };
}

/** Whether boxes of the platform run on a host, be it slowly. */
export function canRun(platform: Platform, host: Platform): boolean {
  if (samePlatform(platform, host)) return true;
  return (
    platform.os === host.os && EMULATED[host.architecture]?.includes(platform.architecture) === true
  );
}

export function samePlatform(a: Platform, b: Platform): boolean {
  return a.os === b.os && a.architecture === b.architecture;
}
