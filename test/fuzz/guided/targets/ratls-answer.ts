import { readAnswer } from '../../../../ratls/src/client/read-json.ts';
import { AttestAnswer } from '../../../../ratls/src/protocol/messages.ts';
import { refusing } from '../refusing.ts';

/** The first byte decides whether it is a refusal. */
export const fuzz = refusing((bytes) => {
  const status = bytes[0] === 0x21 ? 400 : 200;
  return readAnswer(
    { status, body: Buffer.from(status === 200 ? bytes : bytes.subarray(1)) },
    AttestAnswer,
  );
});
