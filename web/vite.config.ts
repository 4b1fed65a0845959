// Builds the page into the Python package. The house serves it under a strict Content-Security-Policy:
// no inline script or style, nothing from elsewhere.
import { defineConfig } from "vitest/config";

export default defineConfig({
  base: "./",
  build: {
    outDir: "../src/stathouse/web/page",
    emptyOutDir: true,
    assetsDir: "assets",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // The first browsers that know light-dark(), so that the style sheet is kept as it is written.
    target: ["chrome123", "firefox120", "safari17.5"],
  },
  server: {
    // `npm run dev` beside a running house.
    proxy: { "/api": "http://127.0.0.1:8127" },
  },
  test: { include: ["tests/**/*.test.ts"], environment: "node" },
});
