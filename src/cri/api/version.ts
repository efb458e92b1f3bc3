/**
 * The release of CRI that the other modules of this folder describe.
 *
 * Made by `scripts/generate-cri-api.ts` of k8s.io/cri-api v0.36.3: see `docs/boxes/kubernetes.md`.
 *
 * @module
 */
export const CRI_VERSION = 'v0.36.3';
