/**
 * The cell: how every helper program starts that handles bytes of a guest or an image.
 *
 * @module
 */

/** The user and group that a cell's processes run as. */
export interface CellIdentity {
  readonly uid: number;
  readonly gid: number;
}
