import { expect, it } from 'vitest';
import {
  answerHeaders,
  failure,
  framed,
  GRPC,
  GrpcError,
  percentDecoded,
  unframed,
} from './grpc.ts';

it('takes one message out of its frame', () => {
  expect(unframed(framed(Buffer.from('message')))).toEqual(Buffer.from('message'));
  expect(unframed(framed(Buffer.alloc(0)))).toHaveLength(0);
});

it.each([
  ['nothing', Buffer.alloc(0)],
  ['a compressed message', Buffer.from([1, 0, 0, 0, 0])],
  ['less than a message', framed(Buffer.from('message')).subarray(0, 8)],
  ['two messages', Buffer.concat([framed(Buffer.from('a')), framed(Buffer.from('b'))])],
])('refuses %s', (_, bytes) => {
  expect(() => unframed(bytes)).toThrow(GrpcError);
});

it('encodes the words of an error as gRPC has it', () => {
  expect(failure(GRPC.permissionDenied, 'ü: 100 %\nno')).toMatchObject({
    'grpc-status': '7',
    'grpc-message': '%C3%BC: 100 %25%0Ano',
  });
  expect(percentDecoded('%C3%BC: 100 %25%0Ano')).toBe('ü: 100 %\nno');
});

it('sends no header of an answer on but those of gRPC', () => {
  const own = { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '0' };
  const others = { 'http2-settings': 'x', 'content-length': '5', date: 'x', connection: 'close' };
  const head = Object.assign({ ...others }, own);
  expect(answerHeaders(head)).toEqual(own);
});
