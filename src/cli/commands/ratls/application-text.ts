/**
 * A verdict on an application, for people: a line for each box, and the conclusion.
 *
 * @module
 */
import { printable } from '../../client/failure.ts';
import { alignColumns } from '../../output/table.ts';
import { SIMULATED_BANNER } from '../attest/verdict/verdict-text.ts';
import type { ApplicationVerdict, ServiceVerdict } from './application-verdict.ts';

const REASONS: Readonly<Record<string, string>> = {
  'no-box': 'the service has no confidential box that runs',
  'unnamed-service': 'the policy names no such service',
  'same-instance': 'the guest that answered is the one of a box above',
};

export function describeApplication(verdict: ApplicationVerdict): string {
  const lines = verdict.services.map((each) =>
    [each.service || '-', each.box || '-', wordOf(each)].map(inOneLine).join('\t'),
  );
  const banner = verdict.simulated === true ? SIMULATED_BANNER : '';
  const table = alignColumns(['SERVICE\tBOX\tVERDICT', ...lines]);
  return printable(`${banner}${table}\n${conclusion(verdict)}\n`);
}

/** Names come from the host, which could write rows and conclusions of its own with line ends. */
function inOneLine(text: string): string {
  return text.replaceAll(/\p{C}/gu, '?');
}

function wordOf({ accepted, code, undecided, verdict }: ServiceVerdict): string {
  if (accepted) return 'accepted';
  return `${undecided === true ? 'undecided' : 'rejected'} (${code}): ${REASONS[code] ?? verdict?.error?.message ?? ''}`;
}

function conclusion({ application, accepted, simulated, services }: ApplicationVerdict): string {
  const name = inOneLine(application);
  if (!accepted && services.every((each) => each.accepted || each.undecided === true)) {
    return `Undecided: not every box of ${name} answered.`;
  }
  if (!accepted) return `Rejected: ${name} is not what the policy asks for.`;
  const word = simulated === true ? 'Accepted as a SIMULATED application' : 'Accepted';
  return `${word}: each confidential box of ${name} proved that it is what the policy asks for.`;
}
