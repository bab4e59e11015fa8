/** The node's REST resources. */

/** The node answered with an error. `status` is HTTP's. */
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** GET /api/v1/`path`; null parameters are skipped. ApiError, or TypeError if no node answers. */
export async function get(path, parameters = {}, signal = undefined) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined);
  const query = given.length ? `?${new URLSearchParams(given)}` : "";
  const response = await fetch(`api/v1/${path}${query}`, { signal });
  const text = await response.text();
  if (response.ok) return JSON.parse(text, exact);
  throw new ApiError(response.status, messageOf(text));
}

/** Integers beyond 2^53 as BigInt, if the browser provides a number's source; amounts are exact in any case. */
function exact(key, value, context) {
  if (typeof value !== "number" || Number.isSafeInteger(value) || !/^\d+$/.test(context?.source ?? "")) return value;
  return BigInt(context.source);
}

function messageOf(text) {
  try {
    return JSON.parse(text).error.message;
  } catch {
    return text.trim() || "no answer";
  }
}
