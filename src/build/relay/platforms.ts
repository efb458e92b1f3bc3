/**
 * The platforms that a build is for, as clients name them.
 *
 * @module
 */
import { hostPlatform, type Platform } from '../../oci/platform.ts';

const MAX_PLATFORMS = 32;
const ALIASES: Readonly<Record<string, string>> = { x86_64: 'amd64', aarch64: 'arm64' };

/**
 * None for no text. What is not understood is of no platform that an image has: the frontend
 * refuses it.
 *
 * @param text `linux/amd64,linux/arm64/v8`
 */
export function readPlatforms(text: string): readonly Platform[] {
  if (text === '') return [];
  const names = text.toLowerCase().split(',').slice(0, MAX_PLATFORMS);
  return names.map((name) => {
    const host = hostPlatform();
    const [first = '', second] = name.trim().split('/');
    if (first === 'local') return host;
    const architecture = second ?? (first === host.os ? host.architecture : first);
    const os = second === undefined ? host.os : first;
    return { os, architecture: ALIASES[architecture] ?? architecture };
  });
}
