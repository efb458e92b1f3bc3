/**
 * Narrowing a document from outside, as the packages below do it.
 *
 * @module
 */
export { narrow } from '@a3s-box/policies/narrow';
