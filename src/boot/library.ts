/**
 * Exports the boot set code that the commands need, as one module that is loaded on demand.
 *
 * It is bundled apart from the command line, so that no other command pays for it.
 *
 * @module
 */
export { A3sError } from '../errors.ts';
export { exportBootSet } from './archive.ts';
export { readBootSet } from './bootset.ts';
export { filesOf } from './document.ts';
export {
  findBootSet,
  forgetBootSet,
  importBootDirectory,
  importBootSet,
  listBootSets,
} from './sets.ts';
export { signBootSet } from './sign.ts';
export { verifyBootSet } from './verify.ts';
