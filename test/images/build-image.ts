/**
 * Small images with deterministic bytes, for tests in real microVMs and for the quickstart.
 *
 * @module
 */
export * from '../../src/images/testing/build-image.ts';
export * from '../../src/images/testing/busybox-image.ts';
export * from '../../src/images/testing/tar-writer.ts';
