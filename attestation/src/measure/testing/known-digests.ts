/**
 * Launch digests of the field's reference tool, with what they were computed from.
 *
 * @module
 */
import type { VcpuType } from '../vcpu-types.ts';
import type { Vmm } from '../vmm.ts';

/** One launch of the reference tool sev-snp-measure (virtee, Apache-2.0). */
export interface KnownDigest {
  readonly name: string;
  readonly ovmf: 'AmdSev' | 'OvmfX64';
  readonly vmm: Vmm;
  readonly vcpus: number;
  readonly type: VcpuType | null;
  readonly features: bigint;
  readonly kernel: 'empty' | 'kernel' | 'none';
  readonly initrd: 'empty' | 'initrd' | 'none';
  readonly append: string | null;
  readonly digest: string;
}

export const KNOWN_DIGESTS: readonly KnownDigest[] = [
  {
    name: 'snp_default_0x21',
    ovmf: 'AmdSev',
    vmm: 'qemu',
    vcpus: 1,
    type: 'EPYC-v4',
    features: 0x21n,
    kernel: 'empty',
    initrd: 'empty',
    append: 'console=ttyS0 loglevel=7',
    digest:
      '803f691094946e42068aaa3a8f9e26a5c89f36f7b73ecfb28c653360fe4b3aba7e534442e7e1e17895dfe778d0228977',
  },
  {
    name: 'snp_feature_0x1',
    ovmf: 'AmdSev',
    vmm: 'qemu',
    vcpus: 1,
    type: 'EPYC-v4',
    features: 0x1n,
    kernel: 'empty',
    initrd: 'empty',
    append: 'console=ttyS0 loglevel=7',
    digest:
      '6d287813eb5222d770f75005c664e34c204f385ce832cc2ce7d0d6f354454362f390ef83a92046c042e706363b4b08fa',
  },
  {
    name: 'seed_0x21',
    ovmf: 'AmdSev',
    vmm: 'qemu',
    vcpus: 1,
    type: 'EPYC-v4',
    features: 0x21n,
    kernel: 'empty',
    initrd: 'empty',
    append: null,
    digest:
      '329c8ce0972ae52343b64d34a434a86f245dfd74f5ed7aae15d22efc78fb9683632b9b50e4e1d7fa41179ef98a7ef198',
  },
  {
    name: 'seed_0x1',
    ovmf: 'AmdSev',
    vmm: 'qemu',
    vcpus: 1,
    type: 'EPYC-v4',
    features: 0x1n,
    kernel: 'empty',
    initrd: 'empty',
    append: null,
    digest:
      'ddc5224521617a536ee7ce9dd6224d1b58a8d4fda1c741f3ac99fc4bfa04ba6e9fc98646d4a07a9079397fa3852819b5',
  },
  {
    name: 'no_kernel_0x21',
    ovmf: 'AmdSev',
    vmm: 'qemu',
    vcpus: 1,
    type: 'EPYC-v4',
    features: 0x21n,
    kernel: 'none',
    initrd: 'none',
    append: null,
    digest:
      'e1e1ca029dd7973ab9513295be68198472dcd4fc834bd9af9b63f6e8a1674dbf281a9278a4a2ebe0eed9f22adbcd0e2b',
  },
  {
    name: 'no_kernel_0x1',
    ovmf: 'AmdSev',
    vmm: 'qemu',
    vcpus: 1,
    type: 'EPYC-v4',
    features: 0x1n,
    kernel: 'none',
    initrd: 'none',
    append: null,
    digest:
      '19358ba9a7615534a9a1e2f0dfc29384dcd4dcb7062ff9c6013b26869a5fc6ecabe033c48dd6f6db5d6d76e7c5df632d',
  },
  {
    name: 'vcpus4_0x21',
    ovmf: 'AmdSev',
    vmm: 'qemu',
    vcpus: 4,
    type: 'EPYC-v4',
    features: 0x21n,
    kernel: 'empty',
    initrd: 'empty',
    append: null,
    digest:
      '4953b1fb416fa874980e8442b3706d345926d5f38879134e00813c5d7abcbe78eafe7b422907be0b4698e2414a631942',
  },
  {
    name: 'vcpus4_0x1',
    ovmf: 'AmdSev',
    vmm: 'qemu',
    vcpus: 4,
    type: 'EPYC-v4',
    features: 0x1n,
    kernel: 'empty',
    initrd: 'empty',
    append: null,
    digest:
      '5061fffb019493a903613d56d54b94912a1a2f9e4502385f5c194616753720a92441310ba6c4933de877c36e23046ad5',
  },
  {
    name: 'ovmfx64_no_kernel_0x21',
    ovmf: 'OvmfX64',
    vmm: 'qemu',
    vcpus: 1,
    type: 'EPYC-v4',
    features: 0x21n,
    kernel: 'none',
    initrd: 'none',
    append: null,
    digest:
      '28797ae0afaba4005a81e629acebfb59e6687949d6be44007cd5506823b0dd66f146aaae26ff291eed7b493d8a64c385',
  },
  {
    name: 'ovmfx64_no_kernel_0x1',
    ovmf: 'OvmfX64',
    vmm: 'qemu',
    vcpus: 1,
    type: 'EPYC-v4',
    features: 0x1n,
    kernel: 'none',
    initrd: 'none',
    append: null,
    digest:
      'da0296de8193586a5512078dcd719eccecbd87e2b825ad4148c44f665dc87df21e5b49e21523a9ad993afdb6a30b4005',
  },
  {
    name: 'ec2_0x21',
    ovmf: 'AmdSev',
    vmm: 'ec2',
    vcpus: 1,
    type: 'EPYC-v4',
    features: 0x21n,
    kernel: 'empty',
    initrd: 'empty',
    append: null,
    digest:
      '0ce9ccc06bab55eebe8abc234f3df6514883977a68a591b71052498ab52b2f1aa415db338033946ef93aa8278c0d67fb',
  },
  {
    name: 'ec2_0x1',
    ovmf: 'AmdSev',
    vmm: 'ec2',
    vcpus: 1,
    type: 'EPYC-v4',
    features: 0x1n,
    kernel: 'empty',
    initrd: 'empty',
    append: null,
    digest:
      '0883bd0eeb716e65b7b977a321c278d1e51b33b5c655fab985443bbcc65c086b9c15e8a0bd8811050dec7e24964e5056',
  },
  {
    name: 'gce_1vcpu_0x1',
    ovmf: 'AmdSev',
    vmm: 'gce',
    vcpus: 1,
    type: null,
    features: 0x1n,
    kernel: 'empty',
    initrd: 'empty',
    append: null,
    digest:
      '5da7106cf14cf46b1725ebab123eb9e53bd46a1e9f400cd0c08e7827b04b688ea8b4e403c8404efed4397ea5d5d0722e',
  },
  {
    name: 'gce_4vcpu_0x1',
    ovmf: 'AmdSev',
    vmm: 'gce',
    vcpus: 4,
    type: null,
    features: 0x1n,
    kernel: 'empty',
    initrd: 'empty',
    append: null,
    digest:
      '5c5debf100fc339f90276e761ee1f1658d08922c3b20e2a2e6c7a6c3370b2452a15a00eae11886a93d6fd1e7ab81e29d',
  },
  {
    name: 'vcputype_EPYC',
    ovmf: 'AmdSev',
    vmm: 'qemu',
    vcpus: 2,
    type: 'EPYC',
    features: 0x1n,
    kernel: 'kernel',
    initrd: 'initrd',
    append: 'root=/dev/vda ro',
    digest:
      '9f11497f347d5d0e67f740518f72820afc62ebf596e94ee7b4ed2bb32790b56c3cb455d4a17e0030642f6f9545d02a78',
  },
  {
    name: 'vcputype_EPYC-Rome',
    ovmf: 'AmdSev',
    vmm: 'qemu',
    vcpus: 2,
    type: 'EPYC-Rome',
    features: 0x1n,
    kernel: 'kernel',
    initrd: 'initrd',
    append: 'root=/dev/vda ro',
    digest:
      'ee38f405b05f73a6d1d270fa1532f1726309bbfc984286dc892ae7b30d50c30da6b2ec10dba3a2f40892704ebd637920',
  },
  {
    name: 'vcputype_EPYC-Milan',
    ovmf: 'AmdSev',
    vmm: 'qemu',
    vcpus: 2,
    type: 'EPYC-Milan',
    features: 0x1n,
    kernel: 'kernel',
    initrd: 'initrd',
    append: 'root=/dev/vda ro',
    digest:
      '5f28e8de13736e7e4e8660c4ed634a6d9a15425dc8d1f1badd89672b9c87a0768dc7a7035411fb27b698937bb534f1e7',
  },
  {
    name: 'vcputype_EPYC-Milan-v2',
    ovmf: 'AmdSev',
    vmm: 'qemu',
    vcpus: 2,
    type: 'EPYC-Milan-v2',
    features: 0x1n,
    kernel: 'kernel',
    initrd: 'initrd',
    append: 'root=/dev/vda ro',
    digest:
      '5f28e8de13736e7e4e8660c4ed634a6d9a15425dc8d1f1badd89672b9c87a0768dc7a7035411fb27b698937bb534f1e7',
  },
  {
    name: 'vcputype_EPYC-Genoa',
    ovmf: 'AmdSev',
    vmm: 'qemu',
    vcpus: 2,
    type: 'EPYC-Genoa',
    features: 0x1n,
    kernel: 'kernel',
    initrd: 'initrd',
    append: 'root=/dev/vda ro',
    digest:
      '9933322017d13f497502bed921a1aa46977fa82a57c1793119824c0f476113c4a05f6fe30537ef76034312d8df50f7dc',
  },
  {
    name: 'vcputype_EPYC-Turin',
    ovmf: 'AmdSev',
    vmm: 'qemu',
    vcpus: 2,
    type: 'EPYC-Turin',
    features: 0x1n,
    kernel: 'kernel',
    initrd: 'initrd',
    append: 'root=/dev/vda ro',
    digest:
      '446606c96a392c0a6f98731b47e534a9b95869e84643332fbcecfd3e7ccb1b4bcca188ab2a267ff68d2758e5eca49862',
  },
  {
    name: 'kernel_no_initrd',
    ovmf: 'AmdSev',
    vmm: 'qemu',
    vcpus: 1,
    type: 'EPYC-v4',
    features: 0x1n,
    kernel: 'kernel',
    initrd: 'none',
    append: 'quiet',
    digest:
      '64cd9a5912e5590b7082cffdc13a759bf6abbdf775bab4645e55d345565ffba0be6d7b27dcbb5e3f87b3735d460fcfdb',
  },
  {
    name: 'kernel_no_append',
    ovmf: 'AmdSev',
    vmm: 'qemu',
    vcpus: 1,
    type: 'EPYC-v4',
    features: 0x1n,
    kernel: 'kernel',
    initrd: 'initrd',
    append: null,
    digest:
      'e90ee8df3f1025d64316f4b9b95dda98d001e0a9e19351364622d77e8fcaab4ac960b018136420696b55f08af924ea72',
  },
  {
    name: 'utf8_append',
    ovmf: 'AmdSev',
    vmm: 'qemu',
    vcpus: 1,
    type: 'EPYC-v4',
    features: 0x1n,
    kernel: 'kernel',
    initrd: 'initrd',
    append: 'name=café',
    digest:
      '097489d648dd1742bc595759964d72ed6f41ebb3359ed506b59870f265b2cc3c429e83f32fc3f8acb2f239ab41753ba2',
  },
  {
    name: 'vcpus_3',
    ovmf: 'AmdSev',
    vmm: 'qemu',
    vcpus: 3,
    type: 'EPYC-Genoa',
    features: 0x1n,
    kernel: 'kernel',
    initrd: 'initrd',
    append: 'x=1',
    digest:
      '45fcc8445765027547f48ece69ca6ce4c26b96912d957925afb05cc88a7507c57765f008447fabfe34e8385d657b1f58',
  },
  {
    name: 'vcpus_8',
    ovmf: 'AmdSev',
    vmm: 'qemu',
    vcpus: 8,
    type: 'EPYC-Genoa',
    features: 0x1n,
    kernel: 'kernel',
    initrd: 'initrd',
    append: 'x=1',
    digest:
      '8cf26e81750a94d60c5fc9b2379de0b4ed3043e725d2e6fa2d95e0299b40ea68612c7028b32dbb660569f01faa26c487',
  },
  {
    name: 'vcpus_64',
    ovmf: 'AmdSev',
    vmm: 'qemu',
    vcpus: 64,
    type: 'EPYC-Genoa',
    features: 0x1n,
    kernel: 'kernel',
    initrd: 'initrd',
    append: 'x=1',
    digest:
      '53d12714494a91ee4f62499419599bd7a7ddd98288a18d90876e658206c1f4cde3df43ba46300688fea2bfd37b03a259',
  },
  {
    name: 'ec2_2vcpu',
    ovmf: 'AmdSev',
    vmm: 'ec2',
    vcpus: 2,
    type: 'EPYC-v4',
    features: 0x1n,
    kernel: 'kernel',
    initrd: 'initrd',
    append: 'x=1',
    digest:
      '83e81d8f4d5c5cffc69269bc58b9c00b2b6d66935614a9e96e523dbd35db5948e7743b445a00d4890343171a6839b94c',
  },
];
