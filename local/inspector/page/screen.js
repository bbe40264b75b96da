// @ts-check
// Draws, and changes only what differs: nothing flickers, and focus and selection stay.

/** @typedef {Node | string | number | false | null | undefined} Child */

/**
 * A new element. Text goes in as text, so nothing that is stored can become markup.
 * @param {string} tag
 * @param {Record<string, string | number | boolean | null | undefined>} [attributes]
 * @param {...(Child | Child[])} children
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes))
    if (value !== false && value !== null && value !== undefined)
      element.setAttribute(name, value === true ? '' : String(value));
  for (const child of children.flat())
    if (child !== false && child !== null && child !== undefined)
      element.append(child instanceof Node ? child : String(child));
  return element;
}

/**
 * Makes `live` look like `fresh` and keeps the nodes that stay, with their focus, selection and scroll.
 * @param {Element} live
 * @param {Element} fresh
 */
function morph(live, fresh) {
  const keyOf = (/** @type {Node | null} */ node) =>
    node instanceof HTMLElement ? node.dataset.key : undefined;
  const keyed = new Map([...live.children].map((child) => [keyOf(child), child]));
  let next = live.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const key = keyOf(wanted);
    const isLike = next?.nodeName === wanted.nodeName && keyOf(next) === undefined;
    const match = key === undefined ? (isLike ? next : undefined) : keyed.get(key);
    if (!match) {
      live.insertBefore(wanted, next);
      continue;
    }
    if (match === next) next = next.nextSibling;
    else live.insertBefore(match, next);
    if (match instanceof Element && wanted instanceof Element) {
      morphAttributes(match, wanted);
      morph(match, wanted);
    } else if (match.nodeValue !== wanted.nodeValue) match.nodeValue = wanted.nodeValue;
  }
  while (next) {
    const gone = next;
    next = next.nextSibling;
    gone.remove();
  }
}

/**
 * @param {Element} live
 * @param {Element} fresh
 */
function morphAttributes(live, fresh) {
  // Whether a detail is open is the reader's to say.
  const isKept = (/** @type {string} */ name) => name === 'open';
  for (const { name } of [...live.attributes])
    if (!isKept(name) && !fresh.hasAttribute(name)) live.removeAttribute(name);
  for (const { name, value } of fresh.attributes)
    if (!isKept(name) && live.getAttribute(name) !== value) live.setAttribute(name, value);
}

/** @param {string} id */
export const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/**
 * @param {string} id
 * @param {...(Child | Child[])} children
 */
export const show = (id, ...children) => morph(byId(id), h('div', {}, ...children));

/** @param {string} text */
export function notify(text, isError = false) {
  const notice = byId('notice');
  notice.textContent = text;
  notice.classList.toggle('error', isError);
}
