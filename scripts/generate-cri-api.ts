/**
 * Writes the modules that describe Kubernetes' CRI from a descriptor of its interface: numbers,
 * names and types of fields, and nothing of the text. `docs/boxes/kubernetes.md` says how the
 * descriptor is made.
 *
 *     npx tsx scripts/generate-cri-api.ts DESCRIPTOR-SET VERSION
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import {
  createFileRegistry,
  type DescEnum,
  type DescField,
  type DescMessage,
  type DescService,
  fromBinary,
  ScalarType,
} from '@bufbuild/protobuf';
import { embedFileDesc } from '@bufbuild/protobuf/codegenv2';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';

const TARGET = 'src/cri/api';
const FILE = 'api.proto';
const COLUMNS = 88;

/** Nodes that run Windows are none of ours: no type has what they alone use. */
const FOREIGN = /^Windows/;

const [descriptorSet, version] = process.argv.slice(2);
if (descriptorSet === undefined || version === undefined) {
  throw new TypeError('usage: generate-cri-api.ts DESCRIPTOR-SET VERSION');
}
const set = fromBinary(FileDescriptorSetSchema, readFileSync(descriptorSet));
const file = createFileRegistry(set).getFile(FILE);
if (file === undefined) throw new TypeError(`${descriptorSet} does not describe ${FILE}`);

const SCALARS: Partial<Record<ScalarType, string>> = {
  [ScalarType.STRING]: 'string',
  [ScalarType.BYTES]: 'Uint8Array',
  [ScalarType.BOOL]: 'boolean',
  [ScalarType.INT32]: 'number',
  [ScalarType.UINT32]: 'number',
  [ScalarType.DOUBLE]: 'number',
  [ScalarType.INT64]: 'bigint',
  [ScalarType.UINT64]: 'bigint',
};

function scalar(type: ScalarType): string {
  const name = SCALARS[type];
  if (name === undefined) throw new TypeError(`no type is known for ${ScalarType[type]}`);
  return name;
}

function nameOf(desc: DescMessage | DescEnum): string {
  return desc.typeName.slice('runtime.v1.'.length).replaceAll('.', '');
}

function isForeign({ message, enum: values }: DescField): boolean {
  const type = message ?? values;
  return type !== undefined && FOREIGN.test(nameOf(type));
}

function line(field: DescField): string {
  const name = field.localName;
  switch (field.fieldKind) {
    case 'scalar':
      return `${name}: ${scalar(field.scalar)};`;
    case 'enum':
      return `${name}: number;`;
    case 'message':
      return `${name}?: ${nameOf(field.message)};`;
    case 'list': {
      const { listKind } = field;
      if (listKind === 'message') return `${name}: ${nameOf(field.message)}[];`;
      return `${name}: ${listKind === 'enum' ? 'number' : scalar(field.scalar)}[];`;
    }
    case 'map': {
      const { mapKind } = field;
      if (mapKind !== 'scalar') throw new TypeError(`no type is known for the map ${name}`);
      return `${name}: { [key: string]: ${scalar(field.scalar)} };`;
    }
  }
}

function messageType(message: DescMessage): string {
  const fields = message.fields.filter((field) => !isForeign(field)).map(line);
  return `export type ${nameOf(message)} = Message<'${message.typeName}'> & {${fields.join('')}};`;
}

function serviceType(service: DescService): string {
  const methods = service.methods.map(({ localName, methodKind, input, output }) => {
    if (methodKind !== 'unary' && methodKind !== 'server_streaming') {
      throw new TypeError(`no type is known for ${localName}: ${methodKind}`);
    }
    const [i, o] = [nameOf(input), nameOf(output)];
    return `${localName}: Method<'${methodKind}', messages.${i}, messages.${o}>;`;
  });
  return `export type ${service.name}Type = GenService<{${methods.join('')}}>;`;
}

function enumeration(each: DescEnum): string {
  const values = each.values.map(({ localName, number }) => `${localName}: ${number}`);
  return `export const ${nameOf(each)} = {${values.join(',')}} as const;`;
}

function module(about: string, body: string): string {
  return `/**
 * ${about}
 *
 * Made by \`scripts/generate-cri-api.ts\` of k8s.io/cri-api ${version}: see \`docs/boxes/kubernetes.md\`.
 *
 * @module
 */
${body}
`;
}

const messages = file.messages.filter((each) => !FOREIGN.test(each.name));
const enums = [...file.enums, ...messages.flatMap(({ nestedEnums }) => nestedEnums)];
const encoded = embedFileDesc(file.proto).base64();
const lines = encoded.match(new RegExp(`.{1,${COLUMNS}}`, 'g')) ?? [];

const OUTPUT = {
  'messages.ts': module(
    'The messages of CRI.',
    `import type { Message } from '@bufbuild/protobuf';\n\n${messages.map(messageType).join('\n\n')}`,
  ),
  'enums.ts': module('The enumerations of CRI.', enums.map(enumeration).join('\n\n')),
  'services.ts': module(
    'The services of CRI: their methods with the types of requests and answers.',
    `import type { Message } from '@bufbuild/protobuf';
import type { GenMessage, GenService } from '@bufbuild/protobuf/codegenv2';
import type * as messages from './messages.ts';

interface Method<Kind extends string, Input extends Message, Output extends Message> {
  methodKind: Kind;
  input: GenMessage<Input>;
  output: GenMessage<Output>;
}

${file.services.map(serviceType).join('\n\n')}`,
  ),
  'version.ts': module(
    'The release of CRI that the other modules of this folder describe.',
    `export const CRI_VERSION = '${version}';`,
  ),
  'descriptor.ts': module(
    'The descriptor of CRI: a FileDescriptorProto without comments, in base64.',
    `export const DESCRIPTOR = [${lines.map((each) => `'${each}'`).join(',')}].join('');`,
  ),
};

for (const [name, text] of Object.entries(OUTPUT)) writeFileSync(`${TARGET}/${name}`, text);
const { status } = spawnSync('node_modules/.bin/biome', ['check', '--write', TARGET], {
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
