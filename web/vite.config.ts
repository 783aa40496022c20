// SPDX-License-Identifier: Apache-2.0
import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';
import { precompress } from './tools/precompress.ts';
import { trimKit } from './tools/trim-kit.ts';

const api = process.env.SEKISHO_API ?? 'http://127.0.0.1:8444';

export default defineConfig({
  plugins: [trimKit(), react(), precompress()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  build: {
    target: 'es2022',
    // Never inline: `default-src 'self'` refuses data: addresses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      output: {
        // Two parts that change only with an upgrade stay in browsers' caches; the kit's styles precede ours.
        manualChunks(id) {
          if (!id.includes('node_modules')) return undefined;
          return id.includes('@patternfly') ? 'kit' : 'vendor';
        },
        experimentalMinChunkSize: 6_000,
      },
    },
    chunkSizeWarningLimit: 900,
  },
  server: { port: 5173, proxy: { '/api': { target: api, secure: false } } },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.{ts,tsx}'],
    server: { deps: { inline: [/@patternfly/] } },
  },
});
