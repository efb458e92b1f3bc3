/**
 * The sizes of a client's terminal: one document of JSON after the other.
 *
 * @module
 */
import * as z from 'zod';
import type { TerminalSize } from '../../guest/protocol.ts';

/** A document is half as long. */
const MAX_BYTES = 128;

const size = z.int().min(1).max(65_535);
const Size = z.object({ Width: size, Height: size });

/** Ends at the first that is no size. */
export async function* terminalSizes(
  input: AsyncIterable<Uint8Array>,
): AsyncGenerator<TerminalSize> {
  let text = '';
  for await (const bytes of input) {
    text += Buffer.from(bytes).toString('latin1');
    // None of them has an object within.
    const documents = text.split('}');
    text = documents.pop() ?? '';
    for (const document of documents) {
      const parsed = parse(`${document}}`);
      if (parsed === undefined) return;
      yield { rows: parsed.Height, columns: parsed.Width };
    }
    if (text.length > MAX_BYTES) return;
  }
}

function parse(document: string): z.output<typeof Size> | undefined {
  try {
    return Size.parse(JSON.parse(document));
  } catch {
    return undefined;
  }
}
