import type { Command } from '../../command.ts';
import { bool, byName } from '../../flags/flag.ts';
import { jsonText } from '../../output/json-text.ts';
import { certificateFacts } from './certificate-facts.ts';
import {
  addCertificates,
  CERTIFICATE_FLAGS,
  REPORT_FLAGS,
  readEvidence,
} from './input/evidence-input.ts';
import { tellingPrograms } from './json-failure.ts';
import { loadLibrary, refusing } from './load-library.ts';
import { describeReport } from './report-text.ts';

export const show: Command = {
  usage: '[OPTIONS] --report FILE',
  description: [
    'Display what a report claims, and what is in the certificate beside it.',
    'Nothing of it is verified: anyone can write such a report. Use verify to decide by one.',
    'Exits with 0 if the report could be read, and with 2 otherwise.',
  ].join('\n'),
  flags: byName([...CERTIFICATE_FLAGS, bool('json', 'Print a JSON document'), ...REPORT_FLAGS]),
  operands: { min: 0, max: 0 },
  run: tellingPrograms(async ({ context, flags }) => {
    const library = await loadLibrary();
    const given = await readEvidence(context, flags, library);
    const { evidence, format } = await addCertificates(context, flags, library, given);
    const claims = refusing(library, 'the report', () =>
      library.unverifiedClaims(library.parseReport(evidence.report)),
    );
    const certificate = evidence.vek === undefined ? null : certificateFacts(library, evidence.vek);
    if (flags.bool('json')) {
      context.stdout.write(
        jsonText({ verified: false, format, unverified: { claims, certificate } }),
      );
    } else {
      context.stdout.write(describeReport(library, claims, certificate));
    }
    return 0;
  }),
};
