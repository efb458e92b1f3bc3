/**
 * Patterns of canonical repositories, such as `registry.example:5000/team/**`.
 *
 * A rule that never matches protects nothing, silently. So a pattern that no canonical repository
 * can match is refused, with a suggestion: above all the familiar spelling of Docker Hub, `redis`,
 * whose canonical name is `docker.io/library/redis`.
 *
 * @module
 */

import { hostSpelling } from '../registry-host.ts';
import { hasTangledStars } from './glob.ts';

/** Longer than any repository, with a host name and a path of 255 characters each. */
const MAX_PATTERN = 520;

const HUB = 'docker.io';

/** The expected form of a faulty pattern; undefined for a good pattern. */
export function imagePatternFault(text: unknown): string | undefined {
  if (typeof text !== 'string' || text === '' || text.length > MAX_PATTERN) {
    return `a pattern of 1 to ${MAX_PATTERN} characters, such as registry.example/team/**`;
  }
  return spellingFault(text) ?? hostFault(text) ?? hubFault(text);
}

function spellingFault(text: string): string | undefined {
  if (text.includes('@')) return 'a repository without a digest';
  if (text !== text.toLowerCase()) return `lower case: ${text.toLowerCase()}`;
  if (!/^[a-z0-9._:/*[\]-]+$/.test(text)) {
    return 'a pattern of letters, digits, ".", "_", "-", ":", "/", "*" and "**"';
  }
  if (hasTangledStars(text)) return '"*" within a part of the name, or "**" across parts';
  const parts = text.split('/');
  if (parts.includes('')) return 'a name without an empty part';
  if (parts.slice(1).some((part) => part.includes(':'))) {
    return 'a repository without a tag: rules are about all tags of one';
  }
  return undefined;
}

/** The first part of a canonical name is a host, which has a dot or a port or is `localhost`. */
function hostFault(text: string): string | undefined {
  const slash = text.indexOf('/');
  const first = slash < 0 ? text : text.slice(0, slash);
  if (first.startsWith('*')) return wildHostFault(text, slash < 0);
  if (!looksLikeHost(first)) return canonical(`${HUB}/${onHub(text)}`);
  if (slash >= 0 && !/^[^:]+(:[0-9*]{1,5})?$|^\[.*\](:[0-9*]{1,5})?$/.test(first)) {
    return 'a host with a port of digits, such as registry.example:5000';
  }
  const spelling = slash < 0 ? undefined : hostSpellingFault(first);
  if (spelling !== undefined) return spelling;
  if (slash >= 0 || text.includes('**')) return undefined;
  const [name = '', tag] = text.split(':');
  return tag === undefined || looksLikeHost(name)
    ? `${text}/** for all of that host`
    : canonical(`${HUB}/library/${name}`);
}

/** Image names have one spelling of a host: a rule for another would match none. */
function hostSpellingFault(first: string): string | undefined {
  if (first.includes('*')) {
    return /:0/.test(first.replace(/^\[.*\]/, '')) ? 'a port without a zero before it' : undefined;
  }
  const { host, fault } = hostSpelling(first);
  if (fault !== undefined) return `another host: ${first} ${fault}`;
  // Rules for Docker Hub use the whole name.
  return host === first || host === HUB ? undefined : `the host as it is in names: ${host}`;
}

function wildHostFault(text: string, isOnePart: boolean): string | undefined {
  if (!isOnePart || text.includes('**')) return undefined;
  return text === '*' ? '** for all images' : `**${text.slice(1)}, or a host and a name`;
}

function looksLikeHost(part: string): boolean {
  return /[.:]/.test(part) || part === 'localhost';
}

/** Names of one part are Docker's own images. */
function onHub(path: string): string {
  const [name = ''] = path.split(':');
  return path.includes('/') || path.startsWith('**') ? path : `library/${name}`;
}

/** On Docker Hub every repository has two parts. */
function hubFault(text: string): string | undefined {
  const [host = '', ...path] = text.split('/');
  if (host.includes('*') || hostSpelling(host).host !== HUB) return undefined;
  if (host !== HUB) return canonical(`${HUB}/${onHub(path.join('/'))}`);
  if (path.length !== 1 || text.includes('**')) return undefined;
  return canonical(`${HUB}/library/${path.join('')}`);
}

function canonical(name: string): string {
  return `the canonical name, ${name}`;
}
