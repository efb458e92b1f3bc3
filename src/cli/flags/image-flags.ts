/**
 * The flags of `run` and `create` that choose the image and its required signers.
 *
 * @module
 */
import { bool, type Flag, string } from './flag.ts';

export const IMAGE_POLICY_FLAG: Flag = string(
  'image-policy',
  'Image policy to decide by for this call, instead of the standing one',
  { value: 'file' },
);

export const REFRESH_SIGNATURES_FLAG: Flag = bool(
  'refresh-signatures',
  "Get the image's signatures from its registry anew before deciding",
);

export const IMAGE_FLAGS: readonly Flag[] = [
  IMAGE_POLICY_FLAG,
  string('platform', 'Set platform if server is multi-platform capable'),
  string('pull', 'Pull image before running: always, missing (default), or never'),
  bool('quiet', 'Suppress the pull output', { short: 'q' }),
  REFRESH_SIGNATURES_FLAG,
];
