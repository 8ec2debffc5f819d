// Bundles src/ into ../static: the live map, panels, board and talent list of the screens, the program of the page
// that works from a memory stick, their styles and THIRD_PARTY_LICENSES.txt.
// The output depends on the sources and the lock file only, so a rebuild gives the committed bytes.

import { build } from 'esbuild';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import path from 'node:path';

const here = path.dirname(fileURLToPath(import.meta.url));
const target = path.join(here, '..', 'static');

// Leaflet's stylesheet without the rules that show images (layer switcher, default marker): none is used here.
const leafletCss = {
    name: 'leaflet-css-without-images',
    setup({ onLoad }) {
        onLoad({ filter: /leaflet[/\\]dist[/\\]leaflet\.css$/ }, async ({ path: file }) => ({
            contents: (await readFile(file, 'utf8')).replace(/[^{}]*\{[^{}]*url\([^{}]*\}/g, ''),
            loader: 'css',
        }));
    },
};

const { metafile } = await build({
    absWorkingDir: here,
    entryPoints: {
        live_map: 'src/live_map.js',
        panel: 'src/panel.js',
        board: 'src/board.js',
        talent: 'src/talent.js',
        standalone: 'src/standalone.js',
    },
    outdir: target,
    bundle: true,
    format: 'esm',
    target: ['es2020', 'chrome80', 'firefox80'],
    charset: 'utf8',
    minify: true,
    legalComments: 'none', // licences are shipped whole in THIRD_PARTY_LICENSES.txt
    metafile: true,
    plugins: [leafletCss],
    logLevel: 'warning',
});

const packages = new Set();
for (const input of Object.keys(metafile.inputs)) {
    const found = input.match(/^node_modules\/((?:@[^/]+\/)?[^/]+)\//);
    if (found) packages.add(found[1]);
}

const notices = [];
for (const name of [...packages].sort()) {
    const folder = path.join(here, 'node_modules', name);
    const { version, license } = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8'));
    const file = (await readdir(folder)).find((entry) => /^licen[cs]e/i.test(entry));
    if (!file) throw new Error(`${name} has no licence file`);
    const text = (await readFile(path.join(folder, file), 'utf8')).replace(/\r\n/g, '\n').trim();
    notices.push(`${name} ${version} (${license})\n\n${text}\n`);
}
const rule = `\n${'-'.repeat(80)}\n\n`;
await writeFile(
    path.join(target, 'THIRD_PARTY_LICENSES.txt'),
    `live_map and standalone (.js and .css) contain code of these packages.\n${rule}${notices.join(rule)}`,
);
