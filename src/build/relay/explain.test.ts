import { expect, it } from 'vitest';
import { bytesField, readFields, textsOf } from '../wire/protobuf.ts';
import { explained } from './explain.ts';

const WORDS = 'failed to load cache key: invalid response status 403';
const status = Buffer.concat([Buffer.from([8, 2]), bytesField(2, WORDS), bytesField(3, 'details')]);
const trailers = {
  ...{ 'grpc-status': '2', 'grpc-message': WORDS },
  'grpc-status-details-bin': status.toString('base64').replace(/=+$/, ''),
};

it('adds the reasons to the words and to the status that clients show', () => {
  const passed = explained(trailers, ['GET http://a/b: why', 'GET http://a/b: why']);
  const expected = `${WORDS}: GET http://a/b: why`;
  expect(passed).toMatchObject({ 'grpc-status': '2', 'grpc-message': expected });
  const fields = readFields(Buffer.from(String(passed['grpc-status-details-bin']), 'base64'));
  expect(textsOf(fields, 2)).toEqual([expected]);
  expect(textsOf(fields, 3)).toEqual(['details']);
});

it('leaves other errors alone, and those without a reason', () => {
  const other = { 'grpc-status': '2', 'grpc-message': 'exit code: 7' };
  expect(explained(other, ['why'])).toEqual(other);
  expect(explained(trailers, [])).toEqual(trailers);
});

it.each(['/w==', '!', ''])('passes details on that are no message: %j', (details) => {
  const passed = explained({ ...trailers, 'grpc-status-details-bin': details }, ['why']);
  expect(passed['grpc-message']).toBe(`${WORDS}: why`);
});
