/**
 * The server's checks of an image policy, in one module that is loaded on demand.
 *
 * It is bundled apart from the command line, so that no other command pays for it.
 *
 * @module
 */
export { InvalidImagePolicy } from '../../../trust/policy/invalid-image-policy.ts';
export { loadParsedPolicy } from '../../../trust/policy/load-policy.ts';
