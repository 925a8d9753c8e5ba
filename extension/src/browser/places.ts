/** The text with absolute paths cut down to their ends, for a narrow place. */
export function shortPaths(text: string): string {
  return text.replace(/(?:[A-Za-z]:)?(?:[\\/][^\\/\s]+){2,}(?=[\\/][^\\/\s]+[\\/][^\\/\s]+)/g, '…');
}

/** A file's name, or `database on host`: what tells one warehouse from another at a glance. */
export function shortName(url: string): string {
  const [, rest = url] = url.split('://');
  const path = rest.split('?')[0] ?? rest;
  const name = path.split('/').at(-1) ?? path;
  const host = path.split('/')[0]?.split('@').at(-1) ?? '';
  return host ? `${name} @ ${host}` : name;
}
