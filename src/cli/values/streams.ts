/**
 * Which streams of a box `run --attach` attaches.
 *
 * @module
 */

export interface Streams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

export const NO_STREAMS: Streams = { stdin: false, stdout: false, stderr: false };

/** Parses the name of one. @throws RangeError in Docker's words */
export function parseStream(text: string): keyof Streams {
  const name = text.toLowerCase();
  if (name === 'stdin' || name === 'stdout' || name === 'stderr') return name;
  throw new RangeError('valid streams are STDIN, STDOUT and STDERR');
}

/**
 * Both outputs where none is named, and input where it is kept open.
 *
 * @param names of `--attach`
 */
export function attachedStreams(names: readonly (keyof Streams)[], interactive: boolean): Streams {
  const all = names.length === 0;
  return {
    stdin: interactive || names.includes('stdin'),
    stdout: all || names.includes('stdout'),
    stderr: all || names.includes('stderr'),
  };
}
