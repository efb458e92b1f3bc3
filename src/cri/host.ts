/**
 * What CRI needs of the server.
 *
 * @module
 */
import type { PullHost } from '../boxes/policy/pull-by-policy.ts';
import type { Services } from '../boxes/services/services.ts';
import type { PodHost } from '../pods/pod-host.ts';

/** Each method takes the services that it uses, and no others. */
export type CriHost = PullHost & Pick<Services, 'home' | 'store' | 'log' | 'shutdown'> & PodHost;
