"use strict";
// Shows the OpenAPI document of this server and sends requests to it. Everything is added as text, never as markup.

function element(name, text, ...children) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

function resolved(schema, whole) {
  let found = schema || {};
  for (let i = 0; found.$ref && i < 20; i += 1) {
    found = found.$ref.slice(2).split("/").reduce((at, key) => at[key.replaceAll("~1", "/").replaceAll("~0", "~")], whole);
  }
  return found;
}

function kind(schema, whole) {
  const found = resolved(schema, whole);
  const parts = found.oneOf || found.anyOf;
  if (parts) return [...new Set(parts.map((part) => kind(part, whole)))].join(" or ");
  if (found.enum) return found.enum.join(" | ");
  if (found.type === "array") return `list of ${kind(found.items, whole)}`;
  return found.title && found.properties ? found.title : found.format || found.type || "anything";
}

function fields(schema, whole) {
  const found = resolved(schema, whole);
  if (!found.properties) return element("p", kind(schema, whole));
  const table = element("table");
  table.append(element("tr", "", element("th", "field"), element("th", "type"), element("th", "meaning")));
  for (const [name, part] of Object.entries(found.properties)) {
    const star = (found.required || []).includes(name) ? " *" : "";
    table.append(element("tr", "", element("td", name + star), element("td", kind(part, whole)),
      element("td", part.description || resolved(part, whole).description || "")));
  }
  return table;
}

function example(schema, whole) {
  const found = resolved(schema, whole);
  const given = Array.isArray(found.examples) ? found.examples[0] : Object.values(found.examples || {})[0];
  return given === undefined ? {} : given;
}

function parameterRow(parameter, whole) {
  const input = element("input");
  input.dataset.name = parameter.name;
  input.dataset.place = parameter.in;
  input.setAttribute("aria-label", parameter.name);
  return element("tr", "", element("td", parameter.name + (parameter.required ? " *" : "")), element("td", parameter.in),
    element("td", kind(parameter.schema, whole)), element("td", parameter.description || ""), element("td", "", input));
}

async function send(method, path, box, body, shown) {
  const query = new URLSearchParams();
  const headers = {};
  let url = path;
  for (const input of box.querySelectorAll("input[data-name]")) {
    if (input.value === "") continue;
    if (input.dataset.place === "path") url = url.replace(`{${input.dataset.name}}`, encodeURIComponent(input.value));
    else if (input.dataset.place === "query") query.append(input.dataset.name, input.value);
    else if (input.dataset.place === "header") headers[input.dataset.name] = input.value;
  }
  const key = document.getElementById("key").value;
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body) headers["Content-Type"] = "application/json";
  const tail = query.toString() ? `?${query}` : "";
  try {
    const answer = await fetch(url + tail, { method, headers, body: body ? body.value : undefined });
    const text = await answer.text();
    let pretty = text;
    try { pretty = JSON.stringify(JSON.parse(text), null, 2); } catch { pretty = text; }
    shown.textContent = `${answer.status} ${answer.statusText}\n\n${pretty}`;
  } catch (error) {
    shown.textContent = String(error);
  }
}

function operation(path, method, found, whole) {
  const head = element("summary", "", element("span", method.toUpperCase()), element("code", path), element("span", ` — ${found.summary || ""}`));
  head.firstChild.className = `method ${method}`;
  const box = element("details", "", head, element("p", found.description || ""));
  box.dataset.find = `${path} ${method} ${found.operationId} ${found.summary || ""}`.toLowerCase();
  if ((found.parameters || []).length) {
    box.append(element("h4", "Parameters"), element("table", "", ...found.parameters.map((item) => parameterRow(item, whole))));
  }
  let body = null;
  const schema = found.requestBody && Object.values(found.requestBody.content)[0].schema;
  if (schema) {
    body = element("textarea");
    body.value = JSON.stringify(example(schema, whole), null, 2);
    body.setAttribute("aria-label", "body");
    box.append(element("h4", "Body"), fields(schema, whole), body);
  }
  const shown = element("pre");
  const button = element("button", "Send");
  button.addEventListener("click", () => send(method.toUpperCase(), path, box, body, shown));
  box.append(element("p", "", button), shown, element("h4", "Answers"));
  for (const [status, answer] of Object.entries(found.responses || {})) {
    box.append(element("p", `${status}: ${answer.description || ""}`));
  }
  return box;
}

function show(whole) {
  document.title = whole.info.title;
  document.getElementById("about").textContent = `${whole.info.description || ""} Version ${whole.info.version}.`;
  const key = element("input");
  key.id = "key";
  key.type = "password";
  key.placeholder = "API key or token";
  document.querySelector("header").append(key);
  const groups = new Map((whole.tags || []).map((tag) => [tag.name, [element("h2", tag.name), element("p", tag.description || "")]]));
  for (const [path, item] of Object.entries(whole.paths)) {
    for (const method of ["get", "post", "put", "patch", "delete"]) {
      if (!item[method]) continue;
      const tag = (item[method].tags || ["others"])[0];
      if (!groups.has(tag)) groups.set(tag, [element("h2", tag)]);
      groups.get(tag).push(operation(path, method, item[method], whole));
    }
  }
  const main = document.getElementById("operations");
  main.replaceChildren(...[...groups.values()].filter((group) => group.some((item) => item.tagName === "DETAILS")).flat());
}

document.getElementById("find").addEventListener("input", (event) => {
  const wanted = event.target.value.toLowerCase();
  for (const box of document.querySelectorAll("details")) box.classList.toggle("hidden", !box.dataset.find.includes(wanted));
});
fetch("/openapi.json").then((answer) => answer.json()).then(show, (error) => {
  document.getElementById("operations").textContent = `the document cannot be loaded: ${error}`;
});
