const { createRequire } = require("node:module");
const { readFileSync } = require("node:fs");
const from = createRequire(process.cwd() + "/");
let manifest = {};
try { manifest = JSON.parse(readFileSync("package.json", "utf8")); } catch {}
for (const name of Object.keys(manifest.dependencies ?? {})) {
  // What fails here fails again where it is meant, and is told there.
  try { from(name); } catch (error) {
    if (error.code === "ERR_REQUIRE_ESM") try { await import(name); } catch {}
  }
}
