/**
 * An image as rows of `images`: one for each name that it has.
 *
 * @module
 */
import type { ImageSummary } from '../../../docker-api/images/image.ts';
import { numberOf, type Received, stringOf, stringsOf } from '../../client/json.ts';
import { humanDuration, humanSize, localTime } from '../human.ts';
import type { Listing, Row } from '../listing.ts';

const SHORT_ID = 12;
const NONE = '<none>';

const HEADERS = {
  Repository: 'REPOSITORY',
  Tag: 'TAG',
  Digest: 'DIGEST',
  ID: 'IMAGE ID',
  CreatedSince: 'CREATED',
  CreatedAt: 'CREATED AT',
  Size: 'SIZE',
  Containers: 'CONTAINERS',
  VirtualSize: 'SIZE',
  SharedSize: 'SHARED SIZE',
  UniqueSize: 'UNIQUE SIZE',
};

export function imageListing(digests: boolean): Listing {
  const digest = digests ? '{{.Digest}}\t' : '';
  return {
    defaults: `{{.Repository}}\t{{.Tag}}\t${digest}{{.ID}}\t{{.CreatedSince}}\t{{.Size}}`,
    headers: HEADERS,
  };
}

export function imageRows(
  image: Received<ImageSummary>,
  full: boolean,
  now: number,
): readonly Row[] {
  const created = numberOf(image.Created) * 1000;
  const id = stringOf(image.Id);
  const size = numberOf(image.Size);
  const names = splitNames(stringsOf(image.RepoTags), stringsOf(image.RepoDigests));
  return names.map(({ repository, tag, digest }) => ({
    Repository: repository,
    Tag: tag,
    Digest: digest,
    ID: full ? id : id.replace(/^sha256:/, '').slice(0, SHORT_ID),
    CreatedSince: created > 0 ? `${humanDuration(now - created)} ago` : 'N/A',
    CreatedAt: localTime(created),
    Size: humanSize(size),
    Containers: 'N/A',
    VirtualSize: humanSize(size),
    SharedSize: 'N/A',
    UniqueSize: 'N/A',
  }));
}

interface Name {
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
}

function splitNames(tags: readonly string[], digests: readonly string[]): readonly Name[] {
  const known = digests.map((text) => cut(text, '@')).filter((pair) => pair.left !== NONE);
  const named = tags.map((text) => cut(text, ':')).filter((pair) => pair.left !== NONE);
  if (named.length > 0) {
    return named.map(({ left, right }) => ({
      repository: left,
      tag: right,
      digest: known.find((pair) => pair.left === left)?.right ?? NONE,
    }));
  }
  const [first] = known;
  return [{ repository: first?.left ?? NONE, tag: NONE, digest: first?.right ?? NONE }];
}

/** A registry's port comes before the last separator. */
function cut(text: string, separator: string): { left: string; right: string } {
  const at = text.lastIndexOf(separator);
  return at < 0
    ? { left: text, right: NONE }
    : { left: text.slice(0, at), right: text.slice(at + 1) };
}
