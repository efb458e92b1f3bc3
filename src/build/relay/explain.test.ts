import { expect, it } from 'vitest';
import { bytesField, readFields, textsOf } from '../wire/protobuf.ts';
import { explained } from './explain.ts';

const WORDS = 'failed to load cache key: invalid response status 403';
const status = Buffer.concat([Buffer.from([8, 2]), bytesField(2, WORDS), bytesField(3, 'details')]);
const trailers = {
  ...{ 'grpc-status': '2', 'grpc-message': WORDS },
  'grpc-status-details-bin': status.toString('base64').replace(/=+$/, ''),
};

const files = (...reasons: string[]) => ({
  ...{ files: reasons, blobs: ['of a blob'] },
  steps: ['of a step'],
});

it('adds the reasons to the words and to the status that clients show', () => {
  const passed = explained(trailers, files('GET http://a/b: why', 'GET http://a/b: why'));
  const expected = `${WORDS}: GET http://a/b: why`;
  expect(passed).toMatchObject({ 'grpc-status': '2', 'grpc-message': expected });
  const fields = readFields(Buffer.from(String(passed['grpc-status-details-bin']), 'base64'));
  expect(textsOf(fields, 2)).toEqual([expected]);
  expect(textsOf(fields, 3)).toEqual(['details']);
});

it('leaves other errors alone, and those without a reason', () => {
  const other = { 'grpc-status': '2', 'grpc-message': 'exit code: 7' };
  expect(explained(other, files('why'))).toEqual(other);
  expect(explained(trailers, files())).toEqual(trailers);
});

it('adds the reasons to an error of git, which has the status alone', () => {
  const words = "unable to access 'http://a/b.git/': The requested URL returned error: 403";
  const failed = { 'grpc-status': '2', 'grpc-message': words };
  expect(explained(failed, files('GET http://a/b.git/info/refs: why'))['grpc-message']).toBe(
    `${words}: GET http://a/b.git/info/refs: why`,
  );
});

it.each(['/w==', '!', ''])('passes details on that are no message: %j', (details) => {
  const passed = explained({ ...trailers, 'grpc-status-details-bin': details }, files('why'));
  expect(passed['grpc-message']).toBe(`${WORDS}: why`);
});

it('says whose disk was full, and what to do', () => {
  const failed = (words: string) => ({ 'grpc-status': '2', 'grpc-message': words });
  const words = 'write /var/lib/docker/containerd/daemon/a/fs/big: no space left on device';
  expect(explained(failed(words), files())['grpc-message']).toMatch(
    /^write .*\. The disk of the builder was full: .*docker builder prune --all$/,
  );
  const client = failed('error from receiver: write /home/a/out: no space left on device');
  expect(explained(client, files())).toEqual(client);
});

it('adds what was refused to a step that fails', () => {
  const words = 'process "/bin/sh -c x" did not complete successfully: exit code: 4';
  const failed = { 'grpc-status': '2', 'grpc-message': words };
  const refused = {
    files: ['of a file'],
    blobs: ['of a blob'],
    steps: ['a.test:80: why', 'a.test:80: why'],
  };
  expect(explained(failed, refused)['grpc-message']).toBe(
    `${words}. Refused meanwhile: a.test:80: why`,
  );
  expect(explained(failed, { ...refused, steps: [] })).toEqual(failed);
});

it('says why a blob has no end', () => {
  const words = 'failed to read expected number of bytes: unexpected EOF';
  const failed = { 'grpc-status': '2', 'grpc-message': words };
  expect(explained(failed, files('of a file'))['grpc-message']).toBe(`${words}: of a blob`);
});

it('adds no reason twice, though a frontend and its build fail with one error', () => {
  const once = { 'grpc-status': '2', 'grpc-message': `${WORDS}: GET http://a/b: why` };
  expect(explained(once, files('GET http://a/b: why'))).toEqual(once);
});
