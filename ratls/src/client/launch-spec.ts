/**
 * A launch spec that came from a peer: its bytes, and what they say.
 *
 * @module
 */
import { LaunchSpec, launchSpecText } from '@a3s-box/policies';

/** Undefined for anything but the canonical text of a launch spec. */
export function readLaunchSpec(bytes: Uint8Array): LaunchSpec | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    const spec = LaunchSpec.parse(JSON.parse(text));
    return launchSpecText(spec) === text ? spec : undefined;
  } catch {
    return undefined;
  }
}
