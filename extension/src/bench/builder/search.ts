/** Finding a layer by a few letters of its name, family or purpose. */
import type { Catalogue, LayerType } from '../protocol';

export interface Found {
  family: string;
  layers: LayerType[];
}

/** Every word must occur somewhere; names that begin with the text come first. */
export function search(catalogue: Catalogue, text: string): Found[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const found = catalogue.families.map(({ name, layers }) => ({
    family: name,
    layers: layers.filter(layer => {
      const hay = `${layer.type} ${name} ${layer.doc}`.toLowerCase();
      return words.every(word => hay.includes(word));
    })
  }));
  const query = words.join(' ');
  const rank = (layer: LayerType) => {
    const at = layer.type.toLowerCase().indexOf(query);
    return at === 0 ? 0 : at > 0 ? 1 : 2;
  };
  const best = (group: Found) => Math.min(...group.layers.map(rank));
  const groups = found.filter(group => group.layers.length > 0);
  if (!query) {
    return groups;
  }
  for (const group of groups) {
    group.layers.sort((a, b) => rank(a) - rank(b));
  }
  return groups.sort((a, b) => best(a) - best(b));
}
