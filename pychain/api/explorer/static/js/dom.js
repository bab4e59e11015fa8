/**
 * Creating and updating elements. Text is always inserted as text: nothing here, or anywhere in the explorer,
 * takes markup from a string.
 */

const SVG = "http://www.w3.org/2000/svg";
const PAGES_BESIDE = new Set(["docs", "openapi.json"]);
const still = matchMedia("(prefers-reduced-motion: reduce)");
const GLOW = [{ backgroundColor: "var(--glow)" }, { backgroundColor: "transparent" }];

/** An HTML element. Children are nodes or text; null and false are skipped, arrays are flattened. */
export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function s(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** A picture from the sprites of index.html. */
export function icon(name) {
  const use = s("use");
  use.setAttribute("href", `#i-${name}`);
  return s("svg", { class: "glyph", "aria-hidden": "true" }, use);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "href" && !(value.startsWith("#/") || PAGES_BESIDE.has(value))) {
      throw new Error(`a link may lead only to the explorer's own pages, not to ${value}`);
    }
    element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/**
 * Update the children of an element to match new ones, and keep every node that need not change, so that focus,
 * selection and hover stay. Children with `data-key` are matched by it, others by position; a component with
 * `data-live` draws itself and is not touched.
 */
export function patch(parent, ...children) {
  const wasEmpty = !parent.hasChildNodes();
  const fresh = [...h("div", null, ...children).childNodes];
  const wanted = new Set(fresh.map(keyOf));
  const known = new Map();
  for (const child of [...parent.childNodes]) {
    const key = keyOf(child);
    if (key && wanted.has(key)) known.set(key, child);
    else if (key) child.remove();
  }
  let at = parent.firstChild;
  for (const node of fresh) {
    const key = keyOf(node);
    const match = key ? known.get(key) : at && !keyOf(at) ? at : undefined;
    if (match === undefined) {
      parent.insertBefore(node, at);
      if (key && !wasEmpty && !still.matches) node.animate(GLOW, { duration: 1600, easing: "ease-out" });
      continue;
    }
    if (match === at) at = at.nextSibling;
    else parent.insertBefore(match, at);
    become(match, node);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function become(old, fresh) {
  if (old.isEqualNode(fresh) || (old.dataset?.live && old.dataset.live === fresh.dataset?.live)) return;
  if (old.nodeType !== Node.ELEMENT_NODE || old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
    return;
  }
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  patch(old, ...fresh.childNodes);
}

function keyOf(node) {
  return node.dataset?.key;
}
