/**
 * Reads the text of a launch spec as the agent in the guest does: each spec has exactly one text.
 *
 * @module
 */
import type * as z from 'zod';
import { narrow } from '../narrow.ts';
import { type CanonicalValue, canonicalJson } from './canonical-json.ts';
import { LaunchSpec, MAX_LAUNCH_SPEC } from './launch-spec.ts';
import { POD_LAUNCH_SPEC_SCHEMA, PodLaunchSpec } from './pod-launch-spec.ts';

/** Problems that a message names. */
const MAX_PROBLEMS = 8;

/** A text that is no launch spec. */
export class LaunchSpecError extends Error {
  override readonly name = 'LaunchSpecError';
  readonly code = 'launch-spec-malformed';

  constructor(reason: string, cause?: unknown) {
    super(`Cannot read a launch spec: ${reason}`, cause === undefined ? undefined : { cause });
  }
}

/**
 * The spec of these bytes, whose SHA-256 is HOST_DATA.
 *
 * @throws LaunchSpecError for what is too long, not UTF-8, not canonical (RFC 8785: sorted, no
 * blanks, nothing twice), or not a launch spec
 */
export function parseLaunchSpec(bytes: Uint8Array): LaunchSpec {
  return parseBy(LaunchSpec, bytes);
}

/**
 * The launch spec of a pod, as {@link parseLaunchSpec} reads that of a box.
 *
 * @throws LaunchSpecError
 */
export function parsePodLaunchSpec(bytes: Uint8Array): PodLaunchSpec {
  return parseBy(PodLaunchSpec, bytes);
}

/**
 * The launch spec of a box or of a pod, whichever the bytes are.
 *
 * @throws LaunchSpecError
 */
export function parseAnyLaunchSpec(bytes: Uint8Array): LaunchSpec | PodLaunchSpec {
  // A text that has this is no launch spec of a box: within a string the quotation marks would be
  // escaped.
  const isPod = Buffer.from(bytes).includes(`"schema":"${POD_LAUNCH_SPEC_SCHEMA}"`);
  return isPod ? parsePodLaunchSpec(bytes) : parseLaunchSpec(bytes);
}

function parseBy<T extends CanonicalValue>(schema: z.ZodType<T>, bytes: Uint8Array): T {
  if (bytes.length > MAX_LAUNCH_SPEC) {
    throw new LaunchSpecError(`it is longer than ${MAX_LAUNCH_SPEC} bytes`);
  }
  const text = decode(bytes);
  const value = parse(text);
  const parsed = narrow(schema, value);
  if (!parsed.success) {
    const issues = parsed.error.issues.slice(0, MAX_PROBLEMS);
    const problems = issues.map(({ path, message }) =>
      path.length === 0 ? message : `${path.join('.')}: ${message}`,
    );
    throw new LaunchSpecError(problems.join('; '), parsed.error);
  }
  if (written(parsed.data) !== text) {
    throw new LaunchSpecError('it is not in canonical form (RFC 8785)');
  }
  return parsed.data;
}

function decode(bytes: Uint8Array): string {
  try {
    // A byte order mark is kept, and then is no JSON.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new LaunchSpecError('it is not UTF-8', cause);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new LaunchSpecError('it is not JSON', cause);
  }
}

/** Undefined for what has no canonical text, such as a lone surrogate that was escaped. */
function written(spec: CanonicalValue): string | undefined {
  try {
    return canonicalJson(spec);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
