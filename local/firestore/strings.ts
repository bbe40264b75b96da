const isSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdfff;

/**
 * Orders strings by their UTF-8 bytes, as Firestore does, without encoding them: UTF-16 order
 * differs only where surrogates meet U+E000 to U+FFFF.
 */
export function compareUtf8(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const unitOfA = a.charCodeAt(i);
    const unitOfB = b.charCodeAt(i);
    if (unitOfA === unitOfB) continue;
    const surrogates = Number(isSurrogate(unitOfA)) - Number(isSurrogate(unitOfB));
    return surrogates === 0 || Math.min(unitOfA, unitOfB) < 0xd800 ? unitOfA - unitOfB : surrogates;
  }
  return a.length - b.length;
}
