/**
 * git as BuildKit finds it.
 *
 * @module
 */
import { PROXY_PORT } from '../ports.ts';

/** Where programs are looked for before they are where git is itself. */
export const GIT_PATH = 'usr/sbin/git';

/**
 * BuildKit gives git an environment and a configuration of its own, without the daemon's proxy and
 * authority. What git starts has this one.
 */
export const GIT = `#!/bin/sh
export http_proxy=http://127.0.0.1:${PROXY_PORT} https_proxy=http://127.0.0.1:${PROXY_PORT}
export GIT_SSL_CAINFO=/etc/ssl/certs/ca-certificates.crt
# A new repository needs no hooks.
export GIT_TEMPLATE_DIR=
exec /usr/bin/git "$@"
`;
