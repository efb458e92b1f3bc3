/**
 * A body of JSON documents, one a line, which is the format of progress reports.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';

const MAX_LINE = 1024 * 1024;

/** @throws A3sError `internal` for a line that is not JSON or too long */
export async function* jsonLines(source: AsyncIterable<Buffer>): AsyncGenerator<unknown> {
  let rest = Buffer.alloc(0);
  for await (const chunk of source) {
    rest = Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a)) {
      const line = rest.subarray(0, end).toString('utf8').trim();
      rest = rest.subarray(end + 1);
      if (line !== '') yield parse(line);
    }
    if (rest.length > MAX_LINE) throw new A3sError('internal', 'The server sent an endless line');
  }
  const line = rest.toString('utf8').trim();
  if (line !== '') yield parse(line);
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new A3sError('internal', 'The server sent a line that is not JSON', { cause: error });
  }
}
