/**
 * What a server that is killed has done before, as the test that kills it expects.
 *
 * @module
 */
export const KILLED_BOX = 'victim';

/** The files of an image that a volume is filled with. */
export const FILLED: readonly string[] = Array.from({ length: 40 }, (_, at) => `file-${at}`).sort();

/** What the box has written to its disk after its snapshot. */
export const LATER = 'later';
