/** Returns the element of the page with this id. */
export function at(id) {
  return document.getElementById(id);
}
