"use strict";

// Renders /openapi.json and /openrpc.json. All text is set as text, never as markup.

const MAX_DEPTH = 8; // of nested schemas; none of ours is deeper

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

class Schemas {
  constructor(components) {
    this.components = components;
  }

  resolve(schema) {
    const name = schema.$ref && schema.$ref.split("/").pop();
    return name ? { title: name, ...this.components[name] } : schema;
  }

  // A type in a few words.
  words(given) {
    const schema = this.resolve(given);
    const options = schema.anyOf || schema.oneOf;
    if (options) return [...new Set(options.map((option) => this.words(option)))].join(" or ");
    if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" or ");
    if ("const" in schema) return JSON.stringify(schema.const);
    if (schema.type === "array") return `list of ${this.words(schema.items || {})}`;
    return schema.type || "anything";
  }

  bounds(schema) {
    const told = [];
    if (schema.minimum !== undefined && schema.minimum !== 0) told.push(`at least ${schema.minimum}`);
    if (schema.maximum !== undefined && schema.maximum < Number.MAX_SAFE_INTEGER) told.push(`at most ${schema.maximum}`);
    if (schema.default !== undefined) told.push(`default ${JSON.stringify(schema.default)}`);
    return told;
  }

  notes(given) {
    const schema = this.resolve(given);
    const isNamed = Boolean(given.$ref);
    return [isNamed ? "" : schema.description || "", ...this.bounds(schema)].filter(Boolean).join("; ");
  }

  // The objects inside a schema, also within lists and alternatives.
  objects(given) {
    const schema = this.resolve(given);
    const options = schema.anyOf || schema.oneOf;
    if (options) return options.flatMap((option) => this.objects(option));
    if (schema.type === "array") return this.objects(schema.items || {});
    if (schema.type === "object" && schema.properties) return [schema];
    const values = schema.additionalProperties;
    return values && typeof values === "object" ? this.objects(values) : [];
  }

  fields(given, depth = 0) {
    const shown = this.objects(given).map((schema) => {
      const required = new Set(schema.required || []);
      const list = element("ul", "fields");
      for (const [name, field] of Object.entries(schema.properties)) {
        list.append(this.field(name, field, required.has(name), depth));
      }
      const about = schema.description ? [element("p", "note", schema.description)] : [];
      return element("div", "", ...about, list);
    });
    return shown.length ? element("div", "", ...shown) : null;
  }

  field(name, schema, required, depth) {
    const line = [element("span", "name", name), " ", element("span", "type", this.words(schema))];
    if (!required) line.push(element("span", "note", ", may be missing"));
    const notes = this.notes(schema);
    if (notes) line.push(element("span", "note", `: ${notes}`));
    const inner = depth < MAX_DEPTH ? this.fields(schema, depth + 1) : null;
    if (!inner) return element("li", "", ...line);
    return element("li", "", element("details", "", element("summary", "", ...line), inner));
  }
}

function item(name, summary, ...parts) {
  const head = element("summary", "", element("span", "name", name), element("span", "note", summary));
  const made = element("details", "item", head, element("div", "", ...parts.filter(Boolean)));
  made.dataset.words = `${name} ${summary}`.toLowerCase();
  return made;
}

function parameters(schemas, listed) {
  if (!listed.length) return null;
  const list = element("ul", "fields");
  for (const each of listed) {
    const line = schemas.field(each.name, each.schema, each.required, 0);
    if (each.description) line.append(element("span", "note", `: ${each.description}`));
    list.append(line);
  }
  return element("div", "", element("h4", "", "Parameters"), list);
}

function result(schemas, schema) {
  const line = element("p", "", element("span", "type", schemas.words(schema)));
  const notes = schemas.notes(schema);
  if (notes) line.append(element("span", "note", `: ${notes}`));
  return element("div", "", element("h4", "", "Result"), line, schemas.fields(schema) || "");
}

function showRest(api) {
  const schemas = new Schemas(api.components.schemas);
  const groups = new Map(api.tags.map((tag) => [tag.name, element("div", "", element("h3", "", tag.name))]));
  for (const [path, { get }] of Object.entries(api.paths)) {
    const [content] = Object.values(get.responses["200"].content);
    const needed = get.parameters.some((parameter) => parameter.required);
    const link = element("a", "", needed ? "" : `Open ${path}`);
    link.href = path;
    const made = item(
      `GET ${path}`,
      get.summary,
      get.description && element("p", "", get.description),
      parameters(schemas, get.parameters),
      result(schemas, content.schema),
      needed ? null : element("p", "", link),
    );
    if (get.operationId === "events") made.id = "events";
    groups.get(get.tags[0]).append(made);
  }
  document.getElementById("rest-list").append(...groups.values());
  document.getElementById("about").textContent = `Version ${api.info.version}. ${api.info.description}`;
}

function showRpc(api) {
  const schemas = new Schemas(api.components.schemas);
  const groups = new Map();
  for (const method of api.methods) {
    const title = method.tags[0].name;
    if (!groups.has(title)) groups.set(title, element("div", "", element("h3", "", title)));
    const errors = method.errors.map((error) => element("li", "", `${error.code}: ${error.message}`));
    const given = method.params.map((each) => (each.required ? each.name : `[${each.name}]`));
    groups.get(title).append(
      item(
        [method.name, ...given].join(" "),
        method.summary,
        method.description && element("p", "", method.description),
        parameters(schemas, method.params),
        result(schemas, method.result.schema),
        errors.length ? element("div", "", element("h4", "", "Errors"), element("ul", "fields", ...errors)) : null,
      ),
    );
  }
  document.getElementById("rpc-list").append(...groups.values());
}

function filter(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  for (const made of document.querySelectorAll(".item")) {
    made.hidden = !words.every((word) => made.dataset.words.includes(word));
  }
}

async function load(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: ${response.status} ${response.statusText}`);
  return response.json();
}

async function main() {
  const field = document.getElementById("filter");
  field.addEventListener("input", () => filter(field.value));
  try {
    const [rest, rpc] = await Promise.all([load("/openapi.json"), load("/openrpc.json")]);
    showRest(rest);
    showRpc(rpc);
    if (location.hash) document.querySelector(location.hash)?.scrollIntoView();
  } catch (error) {
    const fault = document.getElementById("fault");
    fault.textContent = `The description could not be loaded: ${error.message}`;
    fault.hidden = false;
  }
}

main();
