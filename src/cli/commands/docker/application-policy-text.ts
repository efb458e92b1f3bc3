/**
 * The policy of a whole application, in YAML: which attestation policy each of its confidential
 * services has.
 *
 * @module
 */

export const APPLICATION_FILE = 'application-policy.yaml';

/** @param services whose policies are in files of their names beside this one */
export function applicationPolicyText(application: string, services: readonly string[]): string {
  return [
    '# Accepts the application if each of these services runs, and each of its boxes is accepted by the policy beside it.',
    'schema: a3s-box/application-policy/v1',
    `application: ${JSON.stringify(application)}`,
    'services:',
    ...services.map(
      (service) => `  ${JSON.stringify(service)}: ${JSON.stringify(`${service}.yaml`)}`,
    ),
    '',
  ].join('\n');
}
