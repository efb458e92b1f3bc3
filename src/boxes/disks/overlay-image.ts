/**
 * An empty qcow2 image: a disk that reads as the one below it until something is written.
 *
 * The image does not name the disk below; the process that opens the image does. It is written
 * here, since it has only four clusters, and `qemu-img` is in a package that nothing else here
 * needs.
 *
 * @module
 */
const CLUSTER_BITS = 16;
const CLUSTER = 2 ** CLUSTER_BITS;
const HEADER_BYTES = 104;
/** A reference count has 2 bytes. */
const REFCOUNT_ORDER = 4;
/**
 * The bytes that one entry of the first table covers: a cluster of 8-byte entries, each of which
 * covers a cluster.
 */
const L1_ENTRY = CLUSTER * (CLUSTER / 8);

/** The places of its parts, in clusters. */
const PLACES = { header: 0, refcountTable: 1, refcounts: 2, l1: 3 } as const;

/** @param bytes of the disk; at most 4 TiB, so that the first table is one cluster */
export function overlayImage(bytes: number): Buffer {
  const entries = Math.ceil(bytes / L1_ENTRY);
  if (entries < 1 || entries * 8 > CLUSTER) throw new RangeError(`a disk of ${bytes} bytes`);
  const image = Buffer.alloc(Object.keys(PLACES).length * CLUSTER);
  image.write('QFI\xfb', 0, 'latin1');
  image.writeUInt32BE(3, 4);
  image.writeUInt32BE(CLUSTER_BITS, 20);
  image.writeBigUInt64BE(BigInt(bytes), 24);
  image.writeUInt32BE(entries, 36);
  image.writeBigUInt64BE(BigInt(PLACES.l1 * CLUSTER), 40);
  image.writeBigUInt64BE(BigInt(PLACES.refcountTable * CLUSTER), 48);
  image.writeUInt32BE(1, 56);
  image.writeUInt32BE(REFCOUNT_ORDER, 96);
  image.writeUInt32BE(HEADER_BYTES, 100);
  image.writeBigUInt64BE(BigInt(PLACES.refcounts * CLUSTER), PLACES.refcountTable * CLUSTER);
  for (const place of Object.values(PLACES)) {
    image.writeUInt16BE(1, PLACES.refcounts * CLUSTER + 2 * place);
  }
  return image;
}
