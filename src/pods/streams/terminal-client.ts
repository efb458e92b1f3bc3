/**
 * A client that is connected with a process, and whose terminal has a size.
 *
 * @module
 */
import type { ClientStream } from '../../boxes/run/client-stream.ts';
import type { BoxInput } from '../../boxes/run/input.ts';
import type { GuestBox } from '../../guest/guest-box.ts';
import type { TerminalSize } from '../../guest/protocol.ts';

export interface TerminalClient extends ClientStream {
  /** The sizes of its terminal, one after the other. Ends when the client is gone. */
  readonly sizes: AsyncIterable<TerminalSize>;
}

/** Passes on what the client sends, also what a client has sent that is gone. */
export async function feed(
  input: BoxInput,
  client: Pick<TerminalClient, 'input'>,
  { ends }: { readonly ends: boolean },
): Promise<void> {
  try {
    for await (const bytes of client.input) await input.write(bytes);
  } finally {
    if (ends) await input.end();
  }
}

/** Until the client is gone, or the process has ended. */
export async function resize(
  guest: Pick<GuestBox, 'resize'>,
  process: string,
  client: Pick<TerminalClient, 'sizes'>,
  ended: AbortSignal,
): Promise<void> {
  try {
    for await (const size of client.sizes) await guest.resize(process, size);
  } catch (error) {
    // It has no terminal any more.
    if (!ended.aborted) throw error;
  }
}
