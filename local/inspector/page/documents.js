// @ts-check

import { api } from './api.js';
import { code, counted, current, empty, linkTo, pretty, time } from './parts.js';
import { h } from './screen.js';

/** @typedef {import('./api.js').Answer} Answer */

/**
 * @param {string} name
 * @param {Answer} value
 * @returns {HTMLElement}
 */
function field(name, value) {
  const inner = value.fields
    ? Object.entries(value.fields)
    : /** @type {Answer[]} */ (value.values)?.map(
        (item, index) => /** @type {const} */ ([String(index), item]),
      );
  const label = h('span', { class: 'name' }, name);
  if (inner && inner.length > 0) {
    const size = value.fields ? counted(inner.length, 'field') : counted(inner.length, 'value');
    return h(
      'details',
      { class: 'field', open: true, 'data-key': name },
      h('summary', {}, label, h('span', { class: 'type' }, `${value.type} · ${size}`)),
      h('div', { class: 'inner' }, ...inner.map(([key, item]) => field(key, item))),
    );
  }
  const text = value.value ?? (inner ? (value.fields ? '{}' : '[]') : 'null');
  const isJson = value.type === 'string' && /^[[{]/.test(text) && pretty(text) !== text;
  return h(
    'div',
    { class: 'field', 'data-key': name },
    label,
    isJson
      ? h('pre', { tabindex: 0 }, pretty(text))
      : h('span', { class: `value ${value.type}` }, value.type === 'string' ? `"${text}"` : text),
    h('span', { class: 'type' }, isJson ? 'string, JSON' : value.type === 'null' ? '' : value.type),
  );
}

/** @param {URLSearchParams} params */
export async function documents(params) {
  const { collections } = await api('collections');
  if (collections.length === 0)
    return empty(
      'No document is stored yet. Play the demo story with ',
      code('npm run demo'),
      ', or register a provider as the README shows.',
    );
  const collection = params.get('collection') ?? collections[0].pattern;
  const offset = Number(params.get('offset') ?? 0);
  const path = params.get('document');
  const [list, document] = await Promise.all([
    api(`documents?${new URLSearchParams({ collection, offset: String(offset) })}`),
    path
      ? api(`document?${new URLSearchParams({ path })}`).catch((error) => ({ gone: error.message }))
      : undefined,
  ]);
  return h(
    'div',
    { class: 'panes' },
    h(
      'nav',
      { 'aria-label': 'Collections' },
      h('h2', {}, 'Collections'),
      h(
        'ul',
        { class: 'tree' },
        ...collections.map((/** @type {Answer} */ each) => node(each, collection)),
      ),
    ),
    h('section', { 'aria-label': 'Documents' }, ...listed(list, path)),
    h('section', { 'aria-label': 'Document', class: 'document' }, ...opened(document)),
  );
}

/** @param {Answer} each @param {string} chosen */
function node({ pattern, documents: count }, chosen) {
  const parts = pattern.split('/');
  return h(
    'li',
    { 'data-key': pattern, class: `depth-${Math.min(4, (parts.length - 1) / 2)}` },
    h(
      'a',
      {
        href: linkTo('documents', { collection: pattern }),
        'aria-current': pattern === chosen && 'true',
      },
      h('span', {}, parts.at(-1)),
      h('span', { class: 'count' }, count.toLocaleString('en')),
    ),
  );
}

/** @param {Answer} list @param {string | null} path */
function listed({ collection, total, documents: found, next_offset: next }, path) {
  const heading = h(
    'h2',
    {},
    collection,
    h('span', { class: 'count' }, counted(total, 'document')),
  );
  if (total === 0) return [heading, empty('This collection is empty now.')];
  const items = found.map((/** @type {Answer} */ { path: each, preview }) =>
    h(
      'li',
      { 'data-key': each },
      h(
        'a',
        {
          href: linkTo('documents', { ...current(), collection, document: each }),
          'aria-current': each === path && 'true',
        },
        h('span', { class: 'id' }, collection.includes('*') ? each : each.split('/').at(-1)),
        h(
          'span',
          { class: 'preview' },
          preview.map((/** @type {Answer} */ { name, value }) => `${name} ${value}`).join(' · '),
        ),
      ),
    ),
  );
  const offset = Number(current()['offset'] ?? 0);
  const pager =
    (offset > 0 || next !== null) &&
    h(
      'p',
      { class: 'pager' },
      offset > 0 && h('a', { href: linkTo('documents', { collection }) }, 'First page'),
      h('span', {}, `${offset + 1} to ${offset + found.length}`),
      next !== null &&
        h('a', { href: linkTo('documents', { collection, offset: next }) }, 'Next page'),
    );
  return [heading, h('ul', { class: 'list' }, ...items), pager];
}

/** @param {Answer | undefined} document */
function opened(document) {
  if (!document) return [empty('Choose a document to see its fields.')];
  if (document.gone) return [empty(document.gone)];
  const fields = Object.entries(document.fields);
  return [
    h('h2', { class: 'id' }, document.path),
    h(
      'p',
      { class: 'faint' },
      'Created ',
      time(document.create_time),
      ', changed ',
      time(document.update_time),
    ),
    document.collections.length > 0 &&
      h(
        'p',
        {},
        'Below it: ',
        ...document.collections.map((/** @type {Answer} */ { path, documents: count }) =>
          h(
            'a',
            { class: 'below', href: linkTo('documents', { collection: path }) },
            `${path.split('/').at(-1)} (${count})`,
          ),
        ),
      ),
    h(
      'div',
      { 'data-key': document.path },
      ...(fields.length > 0
        ? fields.map(([name, value]) => field(name, value))
        : [empty('It has no fields.')]),
    ),
  ];
}
