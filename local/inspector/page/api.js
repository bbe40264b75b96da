// @ts-check

/** @typedef {Record<string, any>} Answer  what the API answers; local/inspector says in which shape */

export const KEY = 'purvey.operator-key';

/** The key is wrong or missing. */
export class Locked extends Error {}

/**
 * @param {string} path
 * @param {object} [body] makes it a POST
 * @returns {Promise<Answer>}
 */
export async function api(path, body) {
  const response = await fetch(`/_local/api/${path}`, {
    method: body ? 'POST' : 'GET',
    headers: {
      'x-operator-key': sessionStorage.getItem(KEY) ?? '',
      ...(body && { 'content-type': 'application/json' }),
    },
    ...(body && { body: JSON.stringify(body) }),
  });
  const answer = await response.json();
  if (response.ok) return answer;
  if (response.status === 401) throw new Locked(answer.error.message);
  throw new Error(answer.error.message);
}
