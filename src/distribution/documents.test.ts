import { fuzzRuns } from '@a3s-box/test-fuzz';
import { fc, test as fuzz } from '@fast-check/vitest';
import { expect } from 'vitest';
import { A3sError } from '../errors.ts';
import { parseIndex } from '../oci/manifest.ts';
import { parseArtifact } from './artifact-manifest.ts';
import { choosePlatform, selectPlatform } from './select-platform.ts';

const HOST = { os: 'linux', architecture: 'amd64' };
const HEX = [...'0123456789abcdef'];

/** Mostly valid values, and sometimes any JSON. */
const mostly = <T>(good: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 8, arbitrary: good }, { weight: 1, arbitrary: fc.jsonValue() });
const digest = fc
  .array(fc.constantFrom(...HEX), { minLength: 64, maxLength: 64 })
  .map((digits) => `sha256:${digits.join('')}`);
const platform = fc.record({
  os: mostly(fc.constantFrom('linux', 'windows', 'unknown')),
  architecture: mostly(fc.constantFrom('amd64', 'x86_64', 'arm64')),
  variant: mostly(fc.constantFrom('', 'v1', 'v3', 'v8')),
});
const descriptor = fc.record(
  {
    mediaType: mostly(fc.constant('application/vnd.oci.image.manifest.v1+json')),
    digest: mostly(digest),
    size: mostly(fc.nat()),
    platform: mostly(platform),
  },
  { requiredKeys: ['mediaType', 'digest', 'size'] },
);
const documentOf = (member: string) =>
  fc
    .tuple(mostly(fc.constant(2)), mostly(fc.array(mostly(descriptor), { maxLength: 4 })))
    .map(([schemaVersion, list]) => Buffer.from(JSON.stringify({ schemaVersion, [member]: list })));

/** Runs the task, which may fail with an A3sError only. */
function foreseen(task: () => void): void {
  try {
    task();
  } catch (error) {
    expect(error).toBeInstanceOf(A3sError);
  }
}

fuzz.prop([fc.string()], fuzzRuns())('parses any text as a platform or refuses it', (text) => {
  foreseen(() => expect(choosePlatform(text, HOST)).toMatchObject(HOST));
});

fuzz.prop([documentOf('manifests')], fuzzRuns())(
  'selects an image for this platform from any index or refuses it',
  (bytes) => {
    foreseen(() => {
      const index = parseIndex(bytes, 'the index');
      const { platform: found } = selectPlatform(index, choosePlatform('', HOST), 'app:1');
      if (found) expect(['amd64', 'x86_64']).toContain(found.architecture);
    });
  },
);

fuzz.prop(
  [
    fc.oneof(
      documentOf('layers'),
      fc.uint8Array().map((it) => Buffer.from(it)),
    ),
  ],
  fuzzRuns(),
)('parses any bytes as an artifact or returns undefined', (bytes) => {
  for (const layer of parseArtifact(bytes)?.layers ?? []) {
    expect(layer.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(layer.size).toBeGreaterThanOrEqual(0);
  }
});
