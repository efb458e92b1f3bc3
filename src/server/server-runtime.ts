/**
 * The services of the server, for everything that it serves.
 *
 * @module
 */
import type { CriHost } from '../cri/host.ts';
import type { BuilderSockets } from './builder-sockets.ts';
import type { ApiHost } from './routes.ts';

export type ServerRuntime = ApiHost & CriHost & { readonly builderSockets: BuilderSockets };
