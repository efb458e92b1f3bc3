/**
 * Makes `docs/errors.md` from the table of error codes.
 *
 * @module
 */
import { ERRORS } from '../../errors.ts';
import { REGENERATE } from './reference.ts';

const PREAMBLE = `# Error codes

Every error of the control server has one of these codes. They stay: branch on them,
not on messages. The server answers \`{"message": …, "code": …, "remedy": …}\` with the HTTP status;
\`a3s-box\` prints message, code and remedy. Made from \`src/error-rows/\` by \`${REGENERATE}\`; a test
fails where it is out of date.

- *HTTP*: the status of the server's answer. Some errors are of the command alone, and never answered.
- *Exit*: the exit code on the record of a box whose start failed with it, 128 where there is none.
  \`a3s-box run\` itself exits with 126 or 127 where the table has that, and with 125 otherwise. Other
  commands are in [cli.md](cli.md).
- *Again*: whether a restart policy starts a box again that failed with it. Where it says no, the
  start would fail again until somebody changes something.

Checks of attestation have codes of their own, see [attestation.md](attestation.md), and so do the
problems of signatures, see [trust.md](trust.md), and answers of the agent to the host, see
[guest-protocol.md](development/guest-protocol.md).

| code | HTTP | exit | again | means | what to do |
|---|---|---|---|---|---|
`;

export function errorReference(): string {
  const rows = Object.entries(ERRORS).map(
    ([code, { status, exitCode, lasting, meaning, remedy }]) =>
      `| \`${code}\` | ${status} | ${exitCode ?? ''} | ${lasting === true ? 'no' : ''} | ${meaning} | ${remedy} |\n`,
  );
  return `${PREAMBLE}${rows.join('')}`;
}
