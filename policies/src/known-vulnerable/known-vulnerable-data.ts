/**
 * Made by `scripts/generate-known-vulnerable.ts` of `defaults/known-vulnerable.json`: change that.
 *
 * @module
 */
import type { KnownVulnerableData } from './known-vulnerable-entry.ts';

export const KNOWN_VULNERABLE_DATA: KnownVulnerableData = {
  date: '2026-11-29',
  groups: [
    {
      id: 'A3S-2026-0001',
      date: '2026-11-29',
      reason:
        'the firmware starts a program of the host (fw_cfg etc/boot/shim) in place of the measured kernel, and loads ACPI code of the host that can write guest memory',
      advisory: 'advisories/A3S-2026-0001.md',
      digests: [
        ['firmware', 'fa4dd29c396fe21514edfe700093147b9e29749d5f1eadf0b20cdf265ee6c9aa'],
        [
          'firmware-pages',
          '2ae20796067f2a09e11a8f2ae21cb4f039cb5fbaa4b56b570a02d62fdca3f3d454b6516dc229e711abca02a7c594805f',
        ],
        [
          'launch',
          'f3223eaab10ba02b7d29217f727736b25b198eb2f5c8835239faef30dcc1041719c7e8f3334a49c9e4015745f754cb9e',
        ],
        [
          'launch',
          '9b9fb28feb18899ab1d87ebdfe2d673ba02c29adbbac5bda9b76f8a390747a163b24e4aed764e46e4f360a790116ef90',
        ],
        [
          'launch',
          '47e304d33783e2056b40a7f868dabd1f2fbe16e6eecce202ec6fcd88bbd00ecdc58119d550e08b67fc6226041f8be7b4',
        ],
        [
          'launch',
          '2d32d1f894a53342b8e07c9df3b040322fa01ba6a462cd319574b9775fa50876909e7a159f5c6f7b46cf28231cad758a',
        ],
        [
          'launch',
          'd6139d83079dfa5d791afa072a0287989054a6ea0529c686c1ad42f6705c850fb2966c1a3043930c548f0f09ba0b740a',
        ],
        [
          'launch',
          'e8d6224601bb4a6dd2915824e8a16cc406c96aa80e415d843603e40851ee20832512e6bffbb751b5fb4cf0ac4ea7ba0f',
        ],
        [
          'launch',
          'f363bf18deefe2f635b1835996aba4219f0548f2c5ed41e5da4a73cd4a11c6b858dff7ac27a5de68875b79d83033380c',
        ],
        [
          'launch',
          '680e07a8e33000f9f37b58fc5522fc9529d93c08684254e4f97759b8c37d2eeae2f1cf3d893b23689bb835219a4cd3c5',
        ],
        [
          'launch',
          'bcb92db5525d846c175ea52bc225d1c20205ffd0e71f19ac1a5b3d2338a67e2d64b4624c3f9f2d225a9df83be7b087b7',
        ],
        [
          'launch',
          'c250c41b94ca8f6342321a07e7e7c24107f994e245e20046feff043e11547d4c995818f8fb0787b7f699a81253be7175',
        ],
        [
          'launch',
          '885a185b0f2a7e5609b4ea54fe7bde9ac7149676d32090cf5762643c89f77344a1119d36c62dbcf33be7d7bbd85c9e17',
        ],
        [
          'launch',
          '66f55a760b4466692bf86902c71516d3871d8e3e77349d380cea2722f608749478030501108efc01fab286be85a28997',
        ],
        [
          'launch',
          '191dbb3aa4b1f3ae46e194bc1b311ebf99fcda05e5cd981c4b89dfc7e1e3702840ca9d4d1c46d047e8e857bdb48812a9',
        ],
        [
          'launch',
          'fced16d060cc9301a1bc1fe766e9454d991abf726dfd9fdf576cb2473c87dd7826b7ae764bad6def32a451abefef9c87',
        ],
        [
          'launch',
          '7a6940709eeaeefa05c4df791dae85631020053ea0859887d6370939aefe6cb0f1151c9f3f4378afca603a5431b80a5a',
        ],
        [
          'launch',
          '1c18bbd65e6fd757958ab0c2e66fb6982938544746274c2ba1b0cf96d474977c4d6884825d3381b29649838b1bcfb225',
        ],
      ],
    },
    {
      id: 'ONE-GLITCH-2021',
      date: '2026-11-29',
      reason:
        'its endorsement keys of every TCB were extracted by glitching the voltage of its secure processor',
      advisory: 'attestation.md#what-is-known-to-be-vulnerable',
      digests: [
        [
          'chip',
          '91c44a33162d17b3a04ff6b631b6f6bc735b1b81cc103b69dced1c72b15a376c486a36da75e1d9239f1a18a62bd52b14a5e31af999472dbc068d22728181a0d7',
        ],
      ],
    },
  ],
};
