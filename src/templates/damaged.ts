/**
 * The fault of a template that cannot be used any more. It never reaches a user as an error: the
 * box boots without a template, and an event has the reason.
 *
 * @module
 */
export class Damaged extends Error {
  override readonly name = 'Damaged';
}
