import { html } from "hono/html";
import { OPERATIONS, type Operation } from "./operations.ts";

/** The page at `/v1/docs`: its parts load each other and nothing else. */
export interface Page {
  readonly html: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly script: string;
  readonly style: string;
}

const HEADERS = {
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; " +
    "form-action 'none'; frame-ancestors 'none'",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
};

/** An example body of each operation that takes one. */
const EXAMPLES: Readonly<Record<string, string>> = {
  sendMessage: '{"data": "hello"}',
  publishMessage: '{"data": {"text": "hello"}, "except": []}',
  disconnectSession: '{"code": 4505, "reason": "signed out"}',
};

/** Makes the page on which an operator reads and tries the admin API. */
export function createPage(): Page {
  const content = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>hono-relay: admin API</title>
<link rel="stylesheet" href="docs/style.css">
<script type="module" src="docs/try.js"></script>
</head>
<body>
<header>
<h1>Admin API</h1>
<p>Each operation is a call of the relay's server API. <a href="../openapi.json">openapi.json</a> describes them for
programs. A request that fails gets <code>application/problem+json</code> (RFC 9457), whose <code>code</code> says why.</p>
<form id="access"><label>Key, one of <code>RELAY_API_KEY</code>
<input id="key" type="password" autocomplete="off" spellcheck="false"></label></form>
</header>
<main>${OPERATIONS.map(section)}</main>
</body>
</html>`;
  return { html: String(content), headers: HEADERS, script: SCRIPT, style: STYLE };
}

function section({ method, path, name, summary, pathSchema, querySchema, bodySchema }: Operation) {
  return html`
<form class="operation" id="${name}" data-method="${method.toUpperCase()}" data-path="${path}" autocomplete="off">
<h2><span class="method ${method}">${method.toUpperCase()}</span> <code>${path}</code></h2>
<p>${summary}</p>
${Object.entries(pathSchema.shape).map(([field, schema]) => input(field, "path", schema.meta()?.description))}
${Object.entries(querySchema.shape).map(([field, schema]) => input(field, "query", schema.meta()?.description))}
${bodySchema === undefined ? "" : body(name, Object.entries(bodySchema.shape))}
<button>Send</button>
<output></output>
</form>`;
}

function input(field: string, part: "path" | "query", description = "") {
  return html`<label><code>${field}</code> ${description}
<input name="${field}" data-part="${part}" ${part === "path" ? "required" : ""} spellcheck="false"></label>`;
}

function body(name: string, fields: readonly (readonly [string, { meta(): { description?: string } | undefined }])[]) {
  return html`<label>Body
<textarea name="body" data-part="body" rows="3" spellcheck="false">${EXAMPLES[name] ?? "{}"}</textarea></label>
<dl>${fields.map(([field, schema]) => html`<dt><code>${field}</code></dt><dd>${schema.meta()?.description ?? ""}</dd>`)}</dl>`;
}

const SCRIPT = `// Sends the request that a form describes, and shows it as a line of curl with its answer.
const key = document.getElementById("key");
document.getElementById("access").addEventListener("submit", (event) => event.preventDefault());
const base = new URL("..", document.baseURI);
const quote = (text) => "'" + text.replaceAll("'", "'\\\\''") + "'";
for (const form of document.querySelectorAll("form.operation")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    let path = form.dataset.path;
    const query = new URLSearchParams();
    let body;
    for (const field of form.querySelectorAll("[data-part]")) {
      if (field.dataset.part === "path") path = path.replace("{" + field.name + "}", encodeURIComponent(field.value));
      else if (field.dataset.part === "body") body = field.value;
      else if (field.value !== "") query.set(field.name, field.value);
    }
    const url = new URL(path.slice(1) + (query.size > 0 ? "?" + query : ""), base);
    const { method } = form.dataset;
    const headers = { Authorization: "Bearer " + key.value };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const parts = ["curl", "-X", method, "-H", '"Authorization: Bearer $RELAY_API_KEY"'];
    if (body !== undefined) parts.push("-H", "'Content-Type: application/json'", "-d", quote(body));
    const output = form.querySelector("output");
    const show = (...lines) => { output.textContent = [parts.join(" ") + " " + quote(url.href), ...lines].join("\\n"); };
    try {
      const response = await fetch(url, { method, headers, body });
      const text = await response.text();
      let shown = text;
      try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch {}
      show(response.status + " " + response.statusText, shown);
    } catch (error) {
      show(String(error));
    }
  });
}
`;

const STYLE = `:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 56rem; padding: 1rem; }
code, textarea, input, output { font-family: ui-monospace, monospace; font-size: 0.9rem; }
h2 { font-size: 1.1rem; margin: 0; overflow-wrap: anywhere; }
p { margin: 0.5rem 0; }
label { display: block; margin: 0.75rem 0; }
input, textarea { box-sizing: border-box; display: block; margin-top: 0.25rem; padding: 0.4rem; width: 100%; }
button { font: inherit; padding: 0.3rem 1rem; }
dl { display: grid; gap: 0.25rem 1rem; grid-template-columns: max-content 1fr; margin: 0 0 0.75rem; }
dd { margin: 0; }
output { display: block; margin-top: 0.75rem; max-height: 24rem; overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
.operation { border: 1px solid #8888; border-radius: 0.5rem; margin: 1rem 0; padding: 1rem; }
.method { border-radius: 0.25rem; color: #fff; font-size: 0.8rem; padding: 0.15rem 0.5rem; }
.get { background: #1259a6; } .post { background: #136c2e; } .put { background: #7a5200; } .delete { background: #a31621; }
`;
