/**
 * What an image policy means for builds beyond its decisions about single images.
 *
 * @module
 */
import type { LoadedPolicy } from '../trust/policy.ts';

/**
 * Why content that cannot be signed, and has no name, is refused: images that come with the
 * client's files, and files of other hosts. Undefined where they are permitted.
 */
export function refusesFiles({
  rules,
  match,
}: Pick<LoadedPolicy, 'rules' | 'match'>): string | undefined {
  if (rules.some(({ action }) => action === 'require'))
    return 'the image policy demands signatures';
  // A list of what is allowed has no place for what has no name.
  const index = match('');
  const rule = index === undefined ? undefined : rules[index];
  if (rule?.action === 'allowUnsigned') return undefined;
  return 'the image policy allows no image without a name';
}
