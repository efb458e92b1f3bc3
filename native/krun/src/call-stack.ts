/**
 * The stack that koffi calls functions on. It is its own, and by default it has 128 KiB for calls
 * beside the event loop: libkrun builds its VMM on it.
 *
 * @module
 */
import koffi from 'koffi';

const STACK_BYTES = 8 * 1024 * 1024;

/** Has to happen before koffi loads the first library of this process, whichever that is. */
export function reserveCallStack(): void {
  const config = koffi.config();
  if ((config.async_stack_size ?? 0) >= STACK_BYTES) return;
  // One microVM, one call: koffi would keep a stack for each of eight.
  koffi.config({ ...config, async_stack_size: STACK_BYTES, resident_async_pools: 1 });
}
