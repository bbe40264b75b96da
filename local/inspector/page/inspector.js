// @ts-check
// The inspector's page: asks the API every two seconds, draws what it answers, and does what is clicked.

import { deliveries, messages, schedules, tasks } from './activity.js';
import { api, KEY, Locked } from './api.js';
import { documents } from './documents.js';
import { counters, keys } from './holdings.js';
import { button, code, DAY_MS, duration, HOUR_MS, MINUTE_MS, time } from './parts.js';
import { byId, h, notify, show } from './screen.js';

/** @typedef {import('./api.js').Answer} Answer */

const REFRESH_MS = 2_000;

const VIEWS = {
  documents: { title: 'Documents', draw: documents },
  tasks: { title: 'Tasks', draw: tasks },
  messages: { title: 'Messages', draw: messages },
  deliveries: { title: 'Deliveries', draw: deliveries },
  schedules: { title: 'Schedules', draw: schedules },
  keys: { title: 'Keys', draw: keys },
  counters: { title: 'Counters', draw: counters },
};

/** @returns {{ view: keyof typeof VIEWS, params: URLSearchParams }} what the address names */
function place() {
  const [name = '', query] = location.hash.slice(1).split('?');
  const view = Object.hasOwn(VIEWS, name) ? /** @type {keyof typeof VIEWS} */ (name) : 'documents';
  return { view, params: new URLSearchParams(query) };
}

/** @param {Answer} overview */
function frame({ project, clock, counts }) {
  const { view } = place();
  const ahead =
    Math.abs(clock.ahead_ms) < REFRESH_MS
      ? ''
      : `${duration(clock.ahead_ms)} ${clock.ahead_ms > 0 ? 'ahead of' : 'behind'} this machine`;
  return [
    h(
      'header',
      { class: 'masthead' },
      h('h1', {}, 'Purvey', h('span', { class: 'faint' }, ` embedded cloud · ${project}`)),
      h(
        'div',
        { class: 'clock', role: 'group', 'aria-label': 'Clock' },
        h('span', { class: 'now', id: 'now' }, time(clock.now.replace(/\.\d+Z/, 'Z')), ' UTC'),
        h('span', { class: 'faint' }, ahead),
        button('advance', '+1 min', { ms: MINUTE_MS }),
        button('advance', '+1 h', { ms: HOUR_MS }),
        button('advance', '+1 day', { ms: DAY_MS }),
        h(
          'form',
          { 'data-action': 'advance-custom' },
          h('input', {
            name: 'count',
            type: 'number',
            min: 1,
            step: 1,
            required: true,
            'aria-label': 'How far to move the clock',
            placeholder: 'custom',
          }),
          h(
            'select',
            { name: 'unit', 'aria-label': 'Unit' },
            h('option', { value: 1_000 }, 's'),
            h('option', { value: MINUTE_MS, selected: true }, 'min'),
            h('option', { value: HOUR_MS }, 'h'),
            h('option', { value: DAY_MS }, 'days'),
          ),
          h('button', { type: 'submit' }, 'Move'),
        ),
      ),
    ),
    h(
      'nav',
      { class: 'tabs', 'aria-label': 'Views' },
      ...Object.entries(VIEWS).map(([name, { title }]) =>
        h(
          'a',
          { href: `#${name}`, 'aria-current': name === view && 'page' },
          title,
          counts[name] !== undefined &&
            h('span', { class: 'count' }, counts[name].toLocaleString('en')),
        ),
      ),
      h(
        'span',
        { class: 'end' },
        button('toggle-live', isLive ? 'Pause updates' : 'Resume updates'),
        button('forget-key', 'Lock'),
      ),
    ),
  ];
}

/** @param {string} reason */
function lock(reason) {
  const hadKey = sessionStorage.getItem(KEY) !== null;
  sessionStorage.removeItem(KEY);
  show(
    'top',
    h(
      'header',
      { class: 'masthead' },
      h('h1', {}, 'Purvey', h('span', { class: 'faint' }, ' embedded cloud')),
    ),
  );
  show(
    'main',
    h(
      'form',
      { class: 'card key', 'data-action': 'enter-key' },
      h('label', { for: 'key' }, 'Operator key'),
      h('input', {
        id: 'key',
        name: 'key',
        type: 'password',
        required: true,
        autocomplete: 'off',
        spellcheck: 'false',
      }),
      h('button', { type: 'submit' }, 'Open'),
      h(
        'p',
        { class: 'faint' },
        code('npm start'),
        ' prints it. It stays in this tab until the tab is closed.',
      ),
    ),
  );
  if (hadKey) notify(reason, true);
  byId('key').focus();
}

// ---- what happens --------------------------------------------------------------------------------

let isLive = true;
/** Counts the looks, so that a slow answer never overwrites a newer one. */
let look = 0;

async function refresh() {
  if (sessionStorage.getItem(KEY) === null) return;
  const mine = ++look;
  const { view, params } = place();
  try {
    const [overview, drawn] = await Promise.all([api('overview'), VIEWS[view].draw(params)]);
    if (mine !== look) return;
    show('top', ...frame(overview));
    show('main', h('div', { class: `view ${view}`, 'data-key': view }, drawn));
    document.title = `${VIEWS[view].title} · Purvey`;
    if (byId('notice').dataset.lost) notify('');
    delete byId('notice').dataset.lost;
  } catch (error) {
    if (mine !== look) return;
    if (error instanceof Locked) return lock(error.message);
    byId('notice').dataset.lost = 'true';
    notify(
      error instanceof TypeError
        ? 'The embedded cloud does not answer; trying again.'
        : String(error),
      true,
    );
  }
}

/** @type {Record<string, (target: HTMLElement) => Promise<unknown> | void>} */
const ACTIONS = {
  advance: ({ dataset }) => moveClock(Number(dataset.ms)),
  'advance-custom': (form) => {
    const given = new FormData(/** @type {HTMLFormElement} */ (form));
    return moveClock(Number(given.get('count')) * Number(given.get('unit')));
  },
  'enter-key': (form) => {
    const given = new FormData(/** @type {HTMLFormElement} */ (form)).get('key');
    if (typeof given === 'string') sessionStorage.setItem(KEY, given.trim());
    notify('');
  },
  'forget-key': () => lock(''),
  'pause-queue': ({ dataset }) => act('queues/pause', dataset.name, 'paused'),
  'resume-queue': ({ dataset }) => act('queues/resume', dataset.name, 'resumed'),
  'run-task': ({ dataset }) => act('tasks/run', dataset.name, 'run'),
  'run-schedule': ({ dataset }) => act('schedules/run', dataset.name, 'run'),
  'reset-counters': async () => {
    await api('counters/reset', {});
    notify('The counters are back at zero.');
  },
  'toggle-live': () => {
    isLive = !isLive;
    notify(isLive ? 'Updating every two seconds.' : 'Updates are paused; actions still refresh.');
  },
  skip: () => byId('main').focus(),
};

/** @param {string} path @param {string | undefined} name @param {string} done */
async function act(path, name = '', done = '') {
  await api(path, { name });
  notify(`${name.split('/').at(-1)}: ${done}.`);
}

/** @param {number} ms */
async function moveClock(ms) {
  await api('clock', { advance_ms: ms });
  notify(`The clock moved ${duration(ms)} forward.`);
}

/** @param {Event} event */
async function perform(event) {
  const target = event.target instanceof Element ? event.target.closest('[data-action]') : null;
  if (!(target instanceof HTMLElement)) return;
  // A click inside a form is not yet its submission.
  if (target instanceof HTMLFormElement && event.type !== 'submit') return;
  event.preventDefault();
  const action = ACTIONS[target.dataset.action ?? ''];
  if (!action || target.getAttribute('aria-busy')) return;
  target.setAttribute('aria-busy', 'true');
  try {
    await action(target);
  } catch (error) {
    if (error instanceof Locked) lock(error.message);
    else notify(error instanceof Error ? error.message : String(error), true);
  }
  target.removeAttribute('aria-busy');
  await refresh();
}

for (const type of ['click', 'submit'])
  document.addEventListener(type, (event) => void perform(event));
addEventListener('hashchange', () => {
  notify('');
  void refresh();
});
setInterval(() => {
  if (isLive && !document.hidden) void refresh();
}, REFRESH_MS);

if (sessionStorage.getItem(KEY) === null) lock('');
else void refresh();
