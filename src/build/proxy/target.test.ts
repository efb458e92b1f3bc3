import { expect, it } from 'vitest';
import { targetOf } from './target.ts';

const kindOf = (path: string): string => targetOf(new URL(`https://registry.example${path}`)).kind;
const DIGEST = `sha256:${'1'.repeat(64)}`;

it.each([
  ['/v2/', 'registry'],
  ['/v2', 'registry'],
  ['/v2/team/app/manifests/1', 'manifest'],
  ['/v2/team%2Fapp/manifests/1', 'manifest'],
  [`/v2/app/blobs/${DIGEST}`, 'blob'],
  ['/v2/app/blobs/uploads/', 'uploads'],
  ['/v2/team/app/blobs/uploads/a3s', 'upload'],
  ['/v2/app/blobs/uploads/other', 'other'],
  ['/v2/app/tags/list', 'other'],
  ['/v2/_catalog', 'other'],
  ['/file.tar.gz', 'download'],
  ['/a/v2/app/manifests/1', 'download'],
  ['/v2.tar.gz', 'download'],
  ['/v20/file', 'download'],
  ['/a%20b', 'download'],
  ['/a..b/v2/file', 'download'],
  ['/a;b/v2/file', 'download'],
])('a request for %s is of kind %s', (path, kind) => {
  expect(kindOf(path)).toBe(kind);
});

it.each([
  '/%76%32/app/manifests/1',
  '/%2576%2532/app/manifests/1',
  '//v2/app/manifests/1',
  '/%2Fv2/app/manifests/1',
  '/V2/app/manifests/1',
  '/v2%2Fapp/manifests/1',
  '/%5Cv2/app/manifests/1',
  '/V2',
  '/file/..%2Fv2/app/manifests/1',
  '/file%2F..%2Fv2/app/manifests/1',
  '/a/%252E%252E/v2/app/manifests/1',
  '/a/b/..%5C..%5Cv2/app/manifests/1',
  '/a/..;/v2/app/manifests/1',
  '/%2E%2Fv2/app/manifests/1',
  '/v2;a/app/manifests/1',
  '/v2%3Ba/app/manifests/1',
  '/v2%20/app/manifests/1',
  '/v2%00/app/manifests/1',
  '/%ff',
  '/v2/%ff/manifests/1',
  `/v2/app:good/manifests/${DIGEST}`,
  `/v2/app@${DIGEST}/manifests/1`,
])('another spelling of a registry’s path is no download: %s', (path) => {
  expect(kindOf(path)).toBe('other');
});
