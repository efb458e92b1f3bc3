/**
 * What is wrong with a template, so that it cannot be used any more. Never reaches a user as an error: the boot goes cold,
 * and an event says why.
 *
 * @module
 */
export class Damaged extends Error {
  override readonly name = 'Damaged';
}
