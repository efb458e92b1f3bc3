/**
 * Which processor a report is from.
 *
 * @module
 */

/** Product lines that have a root key each. Bergamo and Siena are endorsed as Genoa. */
export type Product = 'Milan' | 'Genoa' | 'Turin';

/** Products that number their firmware alike: the key of TCB minimums. */
export type TcbClass = 'milan' | 'genoa' | 'bergamo_siena' | 'turin';
