// What the page says: the state of things, notes, problems in words, progress.

import { at } from './elements.js';

/** A problem whose message is a sentence for the visitor. */
export class Problem extends Error {}

function show(element, text) {
  element.hidden = !text;
  element.textContent = text;
}

/** What is going on, in a line; read out by screen readers. */
export function say(text) {
  at('status').textContent = text;
}

/** What the visitor should know about the photo or the video; stays until the next photo. */
export function note(text) {
  show(at('note'), text);
}

/** What went wrong; an empty text hides it. */
export function complain(text) {
  show(at('problem'), text);
}

/**
 * Shows a bar while something takes long.
 *
 * @param {number|null} share done in [0, 1]; undefined: not known; null: nothing is being done
 */
export function progress(share) {
  at('work').hidden = share === null;
  if (share === undefined) at('progress').removeAttribute('value');
  else if (share !== null) at('progress').value = share;
}

/** The sentence about an error. */
export function inWords(error) {
  if (error instanceof Problem) return error.message;
  if (error.reason) return sentence(error.reason);
  if (error instanceof RangeError || /memory|allocat/i.test(error.message)) {
    return 'There is not enough memory for this photo. Please close other tabs, or choose a smaller photo.';
  }
  return `Something went wrong (${error.message}). Please load the page again.`;
}

/** A reason as a sentence of its own. */
export function sentence(reason) {
  const text = reason[0].toUpperCase() + reason.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
