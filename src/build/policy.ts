/**
 * What an image policy means for builds beyond its decisions about single images.
 *
 * @module
 */
import type { LoadedPolicy } from '../trust/policy.ts';

/**
 * Whether any image has to be signed. Content that cannot be signed is then refused: images that
 * come with the client's files, and files of other hosts.
 */
export function demandsSignatures({ rules }: Pick<LoadedPolicy, 'rules'>): boolean {
  return rules.some(({ action }) => action === 'require');
}
