// @ts-check
// The small pieces that the views are made of.

import { h } from './screen.js';

/**
 * @typedef {import('./screen.js').Child} Child
 * @typedef {import('./api.js').Answer} Answer
 */

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
/** The codes of google.rpc.Status, in order. */
const STATUS_NAMES = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
];

/** @param {string | null | undefined} iso */
export const time = (iso) =>
  iso
    ? h('time', { datetime: iso, title: iso }, iso.replace('T', ' ').replace(/(\.000)?Z$/, ''))
    : '–';

/** @param {number} ms */
export function duration(ms) {
  const units = /** @type {const} */ ([
    ['d', DAY_MS],
    ['h', HOUR_MS],
    ['min', MINUTE_MS],
    ['s', 1_000],
  ]);
  const parts = [];
  let left = Math.abs(ms);
  for (const [unit, size] of units) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count > 0 && parts.length < 2) parts.push(`${count} ${unit}`);
  }
  return parts.join(' ') || '0 s';
}

/** @param {number} count @param {string} one @param {string} [many] */
export const counted = (count, one, many = `${one}s`) =>
  `${count.toLocaleString('en')} ${count === 1 ? one : many}`;

/** @param {string} text @param {'good' | 'bad' | 'plain'} mood */
export const chip = (text, mood) => h('span', { class: `chip ${mood}` }, text);

/** @param {{ code: number, message: string } | null} status a google.rpc.Status */
export const result = (status) =>
  !status
    ? h('span', { class: 'faint' }, 'not yet')
    : h(
        'span',
        { title: status.message },
        chip(STATUS_NAMES[status.code] ?? String(status.code), status.code === 0 ? 'good' : 'bad'),
      );

/** @param {string} action @param {string} label @param {Record<string, string | number>} [data] */
export const button = (action, label, data = {}) =>
  h(
    'button',
    {
      type: 'button',
      'data-action': action,
      ...Object.fromEntries(Object.entries(data).map(([name, value]) => [`data-${name}`, value])),
    },
    label,
  );

/** @param {string} url  a function of ours by its path, anything else in full */
export const target = (url) =>
  h('span', { class: 'url', title: url }, url.replace(/^http:\/\/functions\.purvey\.local/, ''));

/** @param {...(Child | Child[])} children */
export const empty = (...children) => h('p', { class: 'empty' }, ...children);

/** @param {string} text */
export const code = (text) => h('code', {}, text);

/** @param {string} label @param {string[]} head @param {Node[]} rows */
export const table = (label, head, rows) =>
  h(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': label },
    h(
      'table',
      {},
      h('thead', {}, h('tr', {}, ...head.map((name) => h('th', { scope: 'col' }, name)))),
      h('tbody', {}, ...rows),
    ),
  );

/** @param {string} key @param {...(Child | Child[])} cells */
export const row = (key, ...cells) =>
  h('tr', { 'data-key': key }, ...cells.map((cell) => h('td', {}, ...[cell].flat())));

/** @param {string} text */
export function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** @param {Answer} body @param {string} summary */
export const payload = (body, summary) =>
  h(
    'details',
    {},
    h('summary', {}, `${summary}, ${counted(body.bytes, 'byte')}`),
    h(
      'pre',
      { tabindex: 0 },
      body.text === null ? '(not text)' : body.truncated ? `${body.text} …` : pretty(body.text),
    ),
  );

/** @param {string} view @param {Record<string, string | number>} params */
export const linkTo = (view, params) =>
  `#${view}?${new URLSearchParams(Object.entries(params).map(([k, v]) => [k, String(v)]))}`;

/** @param {string} name in snake_case */
export const words = (name) => name.replaceAll('_', ' ');

/** @returns {Record<string, string>} what the address says beside the view */
export const current = () => Object.fromEntries(new URLSearchParams(location.hash.split('?')[1]));
