// @ts-check
// What there is beside documents: keys and counters.

import { api } from './api.js';
import { button, chip, code, empty, row, table, time, words } from './parts.js';
import { h } from './screen.js';

/** @typedef {import('./api.js').Answer} Answer */

export async function keys() {
  const { keys: found } = await api('keys');
  if (found.length === 0) return empty('KMS holds no key. The first start makes one.');
  return h(
    'div',
    {},
    h('p', { class: 'faint lead' }, 'Names and versions only: key material is shown nowhere.'),
    table(
      'Keys',
      ['Key', 'Version', 'State', 'Created'],
      found.flatMap((/** @type {Answer} */ key) =>
        key.versions.map((/** @type {Answer} */ version) =>
          row(
            `${key.name} ${version.number}`,
            h('span', { class: 'url' }, key.name),
            [
              version.number,
              version.number === key.primary && [' ', chip('primary', 'plain')],
            ].flat(),
            chip(version.state.toLowerCase(), version.state === 'ENABLED' ? 'good' : 'bad'),
            time(version.create_time),
          ),
        ),
      ),
    ),
  );
}

export async function counters() {
  const { operations, rpcs, cost } = await api('counters');
  const calls = Object.entries(rpcs).toSorted(([, a], [, b]) => b - a);
  return h(
    'div',
    {},
    h(
      'header',
      { class: 'bar' },
      h(
        'p',
        {},
        h('strong', {}, dollars(cost.usd)),
        h(
          'span',
          { class: 'faint' },
          ' is what Google would bill since the start or the last reset.',
        ),
      ),
      button('reset-counters', 'Reset'),
    ),
    h(
      'dl',
      { class: 'figures' },
      ...Object.entries(operations).map(([name, count]) =>
        h(
          'div',
          { 'data-key': name },
          h('dt', {}, words(name)),
          h('dd', {}, count.toLocaleString('en')),
          cost.by[name] !== undefined && h('dd', { class: 'price' }, dollars(cost.by[name])),
        ),
      ),
    ),
    h('h2', {}, 'Calls'),
    calls.length === 0
      ? empty('No RPC since the reset. Call the API, and its operations show here.')
      : table(
          'Calls',
          ['RPC', 'Calls'],
          calls.map(([name, count]) => row(name, code(name), count.toLocaleString('en'))),
        ),
  );
}

/** @param {number} usd */
const dollars = (usd) => `$${usd === 0 ? '0' : usd < 0.01 ? usd.toFixed(7) : usd.toFixed(2)}`;
