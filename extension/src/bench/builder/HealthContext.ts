import { createContext } from 'react';
import type { HealthMap } from './useHealth';

/** The health of each layer, for the boxes on the picture. */
export const HealthContext = createContext<HealthMap>(new Map());
