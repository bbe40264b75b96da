import { sha256Hex } from '../canonical-json.ts';

/**
 * The document id that reserves a name. Names that a reader would take for the same are the same:
 * compatibility forms (NFKC), case and white space do not count.
 */
export const nameId = (name: string): string => sha256Hex(normalised(name));

// Upper-casing first folds what lower-casing alone keeps apart, such as ß and ss; normalising again
// undoes what case mapping may decompose.
const normalised = (name: string): string =>
  name.normalize('NFKC').toUpperCase().toLowerCase().normalize('NFKC').trim().replace(/\s+/gu, ' ');
