/**
 * HOST_DATA of a confidential guest, which says whether the box is privileged.
 *
 * A verifier has the report and not always the launch spec. A privileged workload can have the
 * secure processor sign any REPORT_DATA, so nothing else in a report could say it. The measured
 * agent takes a launch spec only under the HOST_DATA that belongs to it.
 *
 * @module
 */

/** `a3s-priv` in ASCII, in hexadecimal digits. */
const PRIVILEGED = '6133732d70726976';

/**
 * The digest of the launch spec; of a privileged box, its first eight bytes are `a3s-priv`.
 *
 * @param specDigest SHA-256 of the launch spec's text, 64 hexadecimal digits in lower case
 */
export function hostDataOf(specDigest: string, privileged: boolean): string {
  return privileged ? `${PRIVILEGED}${specDigest.slice(PRIVILEGED.length)}` : specDigest;
}

/** @param hostData 64 hexadecimal digits in lower case */
export function isPrivilegedHostData(hostData: string): boolean {
  return hostData.startsWith(PRIVILEGED);
}

/** Whether the report of a box with this launch spec has this HOST_DATA. */
export function isHostDataOf(hostData: string, specDigest: string): boolean {
  return hostData === hostDataOf(specDigest, isPrivilegedHostData(hostData));
}
