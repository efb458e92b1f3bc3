/**
 * The environment in which a client of Docker's calls an engine by its socket, and no other.
 *
 * @module
 */

/**
 * Variables that would send Docker's clients to another engine than `DOCKER_HOST` names, or have
 * them speak TLS to it.
 */
const OTHER_ENGINE = ['DOCKER_CONTEXT', 'DOCKER_TLS', 'DOCKER_TLS_VERIFY', 'DOCKER_CERT_PATH'];

export function engineEnvironment(
  given: Readonly<Record<string, string | undefined>>,
  socket: string,
): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined && !OTHER_ENGINE.includes(name)) env[name] = value;
  }
  return { ...env, DOCKER_HOST: `unix://${socket}` };
}
