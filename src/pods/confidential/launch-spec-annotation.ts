/**
 * The launch spec of a confidential pod as an annotation of it: its text, compressed with gzip and
 * in base64. Kubernetes keeps 256 KiB of annotations of a pod.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import {
  LaunchSpecError,
  MAX_LAUNCH_SPEC,
  type PodLaunchSpec,
  parsePodLaunchSpec,
} from '@a3s-box/policies';
import { A3sError } from '../../errors.ts';

/** Characters that Kubernetes takes, in all annotations together. */
export const MAX_ANNOTATION = 256 * 1024;

export interface ReadLaunchSpec {
  readonly spec: PodLaunchSpec;
  readonly text: string;
  /** SHA-256 of the text. */
  readonly digest: string;
}

/** @throws A3sError `too-large` */
export function encodeLaunchSpec(text: string): string {
  const encoded = gzipSync(text, { level: 9 }).toString('base64');
  if (encoded.length <= MAX_ANNOTATION) return encoded;
  throw new A3sError(
    'too-large',
    `Cannot make the annotation: the launch spec takes ${encoded.length} characters, and Kubernetes takes ${MAX_ANNOTATION}`,
    { remedy: 'Put large values into the images.' },
  );
}

/** @throws A3sError `invalid-argument` for what is no launch spec of a pod */
export function decodeLaunchSpec(encoded: string): ReadLaunchSpec {
  try {
    const bytes = gunzipSync(Buffer.from(encoded, 'base64'), { maxOutputLength: MAX_LAUNCH_SPEC });
    const spec = parsePodLaunchSpec(bytes);
    const digest = createHash('sha256').update(bytes).digest('hex');
    return { spec, text: bytes.toString('utf8'), digest };
  } catch (cause) {
    const why = cause instanceof LaunchSpecError ? cause.message : 'it is not compressed with gzip';
    throw new A3sError('invalid-argument', `Cannot read the launch spec of the pod: ${why}`, {
      remedy: 'Run the pod that a3s-box pod measure wrote, unchanged.',
      cause,
    });
  }
}
