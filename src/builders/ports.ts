/**
 * Where programs in a builder find their proxies.
 *
 * @module
 */

/** Of the daemon and what it starts by itself, on 127.0.0.1. */
export const PROXY_PORT = 3128;

/** Of steps: where the agent listens on 127.0.0.1, which the steps' network does not have. */
export const STEP_PROXY_PORT = 3129;

/** The daemon's bridge, and the port there that leads to the agent's. */
export const BRIDGE = '172.17.0.1';
export const BRIDGE_PORT = 3130;
