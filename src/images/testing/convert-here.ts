import { access } from 'node:fs/promises';
import { spawnInJail } from '../../jail/spawn.ts';
import { streamFile } from '../content/staging.ts';
import { type Converter, explainMissing, type StoredLayer } from '../converter/converter.ts';
import { convertLayers, type LayerSource, verifyLayer } from '../layer/convert.ts';

/** Converts in this process: no program needs to be built. */
export const convertHere: Converter = async ({ layers, below, output, budget, limits }) => {
  for (const layer of [...layers, ...(below ?? [])]) {
    await access(layer.path).catch(explainMissing(layer));
  }
  const options = { limits, spawn: spawnInJail };
  const sources = layers.map(sourceOf);
  if (output !== undefined) {
    return await convertLayers(
      { layers: sources, below: below?.map(sourceOf) },
      output,
      budget,
      options,
    );
  }
  for (const source of sources) await verifyLayer(source, options);
  return true;
};

function sourceOf({ diffId, size, path }: StoredLayer): LayerSource {
  return { diffId, size, open: () => streamFile(path) };
}
