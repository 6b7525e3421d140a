// What AsyncAPI's own parser says of the documents named on the command line, as one JSON list.
const fs = require("fs");
const { Parser } = require("@asyncapi/parser");

(async () => {
  const said = [];
  for (const file of process.argv.slice(2)) {
    const { document, diagnostics } = await new Parser().parse(fs.readFileSync(file, "utf8"));
    if (document === undefined) said.push({ file, severity: 0, code: "no-document", path: [] });
    said.push(...diagnostics.map(({ severity, code, path }) => ({ file, severity, code, path })));
  }
  console.log(JSON.stringify(said));
})();
