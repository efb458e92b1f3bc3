/**
 * The sizes of a client's terminal: one document of JSON after the other.
 *
 * @module
 */
import * as z from 'zod';
import type { TerminalSize } from '../../guest/protocol.ts';

/** A document is half as long. */
const MAX_BYTES = 128;

const size = z.int().min(0).max(65_535).default(0);
const Size = z.object({ Width: size, Height: size });

/** Ends at the first that is no size. A terminal without an area is ignored, as by containerd. */
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
      if (parsed.Width < 1 || parsed.Height < 1) continue;
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
