/**
 * What a URL of the streaming server leads to.
 *
 * @module
 */
import type { Command } from './command.ts';
import type { PortForward } from './port-forward.ts';

export type StreamTarget =
  | { readonly kind: 'exec' | 'attach'; readonly command: Command }
  | { readonly kind: 'portforward'; readonly portForward: PortForward };
