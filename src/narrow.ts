/**
 * Narrows a document from outside in the same way as the packages below.
 *
 * @module
 */
export { narrow } from '@a3s-box/policies/narrow';
