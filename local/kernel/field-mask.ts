type Fields = { [name: string]: unknown };

const camel = (name: string) =>
  name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null;

function copyField(target: Fields, source: Fields, [name, ...rest]: readonly string[]): Fields {
  if (name === undefined) return target;
  if (rest.length === 0) return { ...target, [name]: source[name] };
  const inner = isFields(target[name]) ? target[name] : {};
  const innerSource = isFields(source[name]) ? source[name] : {};
  return { ...target, [name]: copyField(inner, innerSource, rest) };
}

/** `current` with the fields that the mask names taken from `update`; an empty mask takes them all. */
export function applyMask<T extends object>(
  current: T,
  update: T,
  mask: { readonly paths?: readonly string[] | null } | null | undefined,
): T {
  const paths = mask?.paths ?? [];
  if (paths.length === 0) return update;
  return paths.reduce<Fields>(
    (merged, path) => copyField(merged, update as Fields, path.split('.').map(camel)),
    current as Fields,
  ) as T;
}
