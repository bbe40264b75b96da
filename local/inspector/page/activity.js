// @ts-check
// What is waiting, under way and done: tasks, messages, deliveries, schedules.

import { api } from './api.js';
import {
  button,
  chip,
  code,
  counted,
  empty,
  payload,
  result,
  row,
  table,
  target,
  time,
} from './parts.js';
import { h } from './screen.js';

/** @typedef {import('./api.js').Answer} Answer */

export async function tasks() {
  const { queues } = await api('queues');
  if (queues.length === 0)
    return empty(
      'There is no queue. Add one under ',
      code('queues:'),
      ' in configs/functions.yaml.',
    );
  return h('div', {}, ...queues.map(queue));
}

/** @param {Answer} queue */
function queue({
  name,
  id,
  state,
  rate_limits: limits,
  max_attempts: attempts,
  total,
  tasks: waiting,
}) {
  const isPaused = state === 'PAUSED';
  return h(
    'section',
    { class: 'card', 'data-key': name, 'aria-label': `Queue ${id}` },
    h(
      'header',
      {},
      h('h2', {}, id, ' ', chip(isPaused ? 'paused' : 'running', isPaused ? 'bad' : 'good')),
      h(
        'span',
        { class: 'faint' },
        `${limits.max_dispatches_per_second} per second, ${limits.max_concurrent_dispatches} at a time, ${attempts} attempts`,
      ),
      isPaused
        ? button('resume-queue', 'Resume', { name })
        : button('pause-queue', 'Pause', { name }),
    ),
    total === 0
      ? empty(
          'No task is queued. An RFQ (',
          code('POST /v1/rfqs'),
          ') queues some; what is due runs at once.',
        )
      : table(
          `Tasks of ${id}`,
          ['Task', 'Target', 'Scheduled', 'Attempts', 'Last status', 'Payload', ''],
          waiting.map((/** @type {Answer} */ task) =>
            row(
              task.name,
              h('span', { class: 'id' }, task.name.split('/').at(-1)),
              target(task.target),
              time(task.schedule_time),
              task.attempts,
              result(task.last_status),
              payload(task.payload, task.method),
              button('run-task', 'Run now', { name: task.name }),
            ),
          ),
        ),
    total > waiting.length &&
      h('p', { class: 'faint' }, `The next ${waiting.length} of ${counted(total, 'task')}.`),
  );
}

export async function messages() {
  const { topics, subscriptions } = await api('topics');
  if (topics.length === 0)
    return empty(
      'There is no topic. Add one under ',
      code('topics:'),
      ' in configs/functions.yaml.',
    );
  const outstanding = subscriptions.filter((/** @type {Answer} */ each) => each.outstanding > 0);
  const topicRows = topics.flatMap((/** @type {Answer} */ topic) => {
    const own = subscriptions.filter((/** @type {Answer} */ each) => each.topic === topic.id);
    if (own.length === 0)
      return [
        row(topic.id, topic.id, h('span', { class: 'faint' }, 'no subscription'), '', '', ''),
      ];
    return own.map((/** @type {Answer} */ each) =>
      row(
        `${topic.id} ${each.id}`,
        topic.id,
        each.id,
        each.push_endpoint ? target(each.push_endpoint) : 'pull',
        each.filter ? code(each.filter) : '–',
        each.outstanding,
      ),
    );
  });
  return h(
    'div',
    {},
    h('h2', {}, 'Topics and subscriptions'),
    table(
      'Topics and subscriptions',
      ['Topic', 'Subscription', 'Pushes to', 'Filter', 'Outstanding'],
      topicRows,
    ),
    h('h2', {}, 'Outstanding messages'),
    outstanding.length === 0
      ? empty(
          'Every message is acknowledged. What a subscriber refuses waits here for its next attempt.',
        )
      : table(
          'Outstanding messages',
          ['Message', 'Subscription', 'Published', 'Due', 'Attempts', 'Data'],
          outstanding.flatMap((/** @type {Answer} */ each) =>
            each.messages.map((/** @type {Answer} */ message) =>
              row(
                `${each.id} ${message.id}`,
                h('span', { class: 'id' }, message.id),
                each.id,
                time(message.publish_time),
                time(message.due_time),
                message.attempts,
                payload(
                  message.payload,
                  counted(Object.keys(message.attributes).length, 'attribute'),
                ),
              ),
            ),
          ),
        ),
  );
}

export async function deliveries() {
  const { deliveries: recent } = await api('deliveries');
  if (recent.length === 0)
    return empty('Nothing was delivered since the start. Run a schedule, or create an RFQ.');
  return h(
    'div',
    {},
    h(
      'p',
      { class: 'faint lead' },
      'The last 200 requests of queues, push subscriptions and schedules, newest first.',
    ),
    table(
      'Deliveries',
      ['Sent', 'Kind', 'From', 'Task or message', 'Target', 'Attempt', 'Outcome', 'Took'],
      recent.map((/** @type {Answer} */ each) =>
        row(
          String(each.id),
          time(each.sent_at),
          each.kind,
          each.source,
          h('span', { class: 'id' }, each.item ?? '–'),
          target(each.target),
          each.attempt ?? '–',
          outcome(each),
          each.took_ms === undefined ? '–' : `${each.took_ms} ms`,
        ),
      ),
    ),
  );
}

/** @param {Answer} delivery */
function outcome({ outcome: kind, status, reason }) {
  if (kind === 'under-way') return chip('under way', 'plain');
  if (kind === 'answered') return chip(String(status), status < 300 ? 'good' : 'bad');
  return h('span', { title: reason }, chip(kind, 'bad'));
}

export async function schedules() {
  const { schedules: jobs } = await api('schedules');
  if (jobs.length === 0)
    return empty(
      'There is no schedule. Add one under ',
      code('schedules:'),
      ' in configs/functions.yaml.',
    );
  return table(
    'Schedules',
    ['Schedule', 'Cron', 'Next run', 'Last attempt', 'Last result', 'Target', ''],
    jobs.map((/** @type {Answer} */ job) =>
      row(
        job.name,
        [job.id, job.state === 'PAUSED' && chip('paused', 'bad')],
        [code(job.schedule), h('span', { class: 'faint' }, ` ${job.time_zone}`)],
        time(job.next_run),
        time(job.last_attempt),
        result(job.last_result),
        target(job.target),
        button('run-schedule', 'Run now', { name: job.name }),
      ),
    ),
  );
}
