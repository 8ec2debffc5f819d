// Canvas layer of all units.
//
// Leaflet's own canvas renderer repaints everything when one polygon changes its style: 20,000 polygons took
// 130 to 400 ms however few had changed, and 1.8 s to come up. This layer takes Leaflet's Renderer only for
// its place on the map (panning, zoom animation) and paints by itself: 15 ms when a tenth of 20,000 change,
// about 120 ms when all do (headless Chromium, no GPU, two cores).
//
// Four canvases lie on one another: fills, border lines, point markers, highlight. A new colour repaints the
// fills of the units that changed and nothing else. That leaves traces of the old colour on the blended pixels
// of their edges, so once the colours have come to rest everything is painted afresh.

import { Renderer } from 'leaflet/src/layer/vector/Renderer.js';
import * as DomUtil from 'leaflet/src/dom/DomUtil.js';

import { AREA, PLANE_ZOOM, POINT } from './geometry.js';

export const LEVEL_BITS = 3;
export const TO_VERIFY_BIT = 4;
export const CONTESTED_BIT = 8;

const FONTS = '"Microsoft YaHei","PingFang SC","Noto Sans CJK SC","Source Han Sans SC",sans-serif';
const INK = '#1b1f24';
const PAPER = '#ffffff';
const TEXTURE_PERIOD = 8; // CSS pixels
const SETTLE_DELAY = 400; // ms without another recolouring before everything is painted afresh

// Width of the white border by the size of a unit on screen, in CSS pixels: small units would drown in it.
const BORDERS = [
    { from: 40, width: 1.4 },
    { from: 16, width: 1 },
    { from: 8, width: 0.7 },
    { from: 4, width: 0.4 },
];

// Ink or paper, whichever stands out more on a colour (WCAG relative luminance).
export function contrasting(colour) {
    const [r, g, b] = [1, 3, 5].map((at) => {
        const part = parseInt(colour.slice(at, at + 2), 16) / 255;
        return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.25 ? INK : PAPER;
}

export const UnitLayer = Renderer.extend({
    options: { padding: 0.25 },

    // Zoom at which the whole city is in view; markers grow from there.
    fullZoom: 0,

    // shapes, outlines: Shapes (outlines may be null); palette: by level code, { colour, mark, dotted }.
    initialize(shapes, outlines, palette, levels) {
        Renderer.prototype.initialize.call(this, {});
        this._shapes = shapes;
        this._outlines = outlines;
        this._palette = palette.map((level) => ({ ...level, ink: contrasting(level.colour) }));
        this._levels = levels;
        this._stale = new Set();
        this._hover = -1;
        this._selected = -1;
    },

    // Takes new levels and repaints, at the next frame, the units whose level differs.
    setLevels(levels) {
        for (let i = 0; i < levels.length; i++) {
            if (levels[i] !== this._levels[i]) this._stale.add(i);
        }
        this._levels = levels;
        this._frame ??= requestAnimationFrame(() => {
            this._frame = undefined;
            this._repaintStale();
            this.fire('recoloured');
            clearTimeout(this._settling);
            this._settling = setTimeout(() => this._drawAll(), SETTLE_DELAY);
        });
    },

    highlight({ hover = this._hover, selected = this._selected }) {
        if (hover === this._hover && selected === this._selected) return;
        this._hover = hover;
        this._selected = selected;
        if (this._map) this._drawHighlight();
    },

    // Unit under a place of the map, or -1.
    at(latlng) {
        const spot = this._map.project(latlng, PLANE_ZOOM);
        const [x, y] = this._shapes.corner;
        return this._shapes.at(spot.x - x, spot.y - y, (this._markerRadius() + 2) / this._scale());
    },

    getEvents() {
        return { ...Renderer.prototype.getEvents.call(this), viewprereset: () => (this._resetting = true) };
    },

    _initContainer() {
        this._container = DomUtil.create('div', 'hj-map-units');
        this._canvases = ['fills', 'lines', 'markers', 'highlight'].map((name) => {
            const canvas = DomUtil.create('canvas', `hj-map-units-${name}`, this._container);
            this[`_${name}`] = canvas.getContext('2d');
            return canvas;
        });
    },

    _destroyContainer() {
        cancelAnimationFrame(this._frame);
        clearTimeout(this._settling);
        DomUtil.remove(this._container);
        this._container = undefined;
    },

    _reset() {
        this._resetting = false;
        Renderer.prototype._reset.call(this);
    },

    // The view has settled somewhere else: place the canvases there and paint everything.
    _update() {
        if (this._map._animatingZoom && this._bounds) return;
        Renderer.prototype._update.call(this);
        if (this._resetting) return; // a viewreset follows at once

        const size = this._bounds.getSize();
        this._ratio = Math.min(window.devicePixelRatio || 1, 2);
        DomUtil.setPosition(this._container, this._bounds.min);
        for (const canvas of this._canvases) {
            canvas.width = Math.round(size.x * this._ratio);
            canvas.height = Math.round(size.y * this._ratio);
            canvas.style.width = `${size.x}px`;
            canvas.style.height = `${size.y}px`;
        }
        this._drawAll();
    },

    _scale() {
        return this._map.getZoomScale(this._map.getZoom(), PLANE_ZOOM);
    },

    // Sets the plane-to-canvas transform on a context; returns CSS pixels per plane unit.
    _onPlane(context) {
        const scale = this._scale();
        const [x, y] = this._shapes.corner;
        const shift = this._map.getPixelOrigin().add(this._bounds.min);
        const k = scale * this._ratio;
        context.setTransform(k, 0, 0, k, (x * scale - shift.x) * this._ratio, (y * scale - shift.y) * this._ratio);
        return scale;
    },

    // The part of the plane the canvases show.
    _view() {
        const scale = this._scale();
        const [x, y] = this._shapes.corner;
        const origin = this._map.getPixelOrigin();
        const { min, max } = this._bounds;
        return [
            (min.x + origin.x) / scale - x,
            (min.y + origin.y) / scale - y,
            (max.x + origin.x) / scale - x,
            (max.y + origin.y) / scale - y,
        ];
    },

    _drawAll() {
        clearTimeout(this._settling);
        this._stale.clear();
        for (const context of [this._fills, this._lines]) clear(context);
        const view = this._view();
        const areas = this._shapes.within(view, AREA);
        this._fillAreas(areas);
        this._drawLines(areas, view);
        const markers = this._drawMarkers(view);
        this._drawHighlight();
        this.fire('painted', { count: areas.length + markers });
    },

    _repaintStale() {
        if (!this._stale.size || !this._map) return;
        const { boxes, kind, order, rank } = this._shapes;
        const view = this._view();
        const [left, top, right, bottom] = view;
        const areas = new Set();
        let markers = false;
        for (const i of this._stale) {
            const b = 4 * i;
            if (boxes[b] > right || boxes[b + 2] < left || boxes[b + 1] > bottom || boxes[b + 3] < top) continue;
            if (kind[i] === AREA) {
                areas.add(i);
                for (const enclave of this._shapes.enclosed(i)) areas.add(enclave);
            } else if (kind[i] === POINT) {
                markers = true;
            }
        }
        this._stale.clear();
        const places = Uint32Array.from(areas, (i) => rank[i]).sort();
        this._fillAreas(places.map((place) => order[place]));
        if (markers) this._drawMarkers(view);
    },

    _fillAreas(units) {
        const context = this._fills;
        const scale = this._onPlane(context);
        const textures = this._textures(context);
        for (const i of units) {
            const path = this._shapes.paths[i];
            for (const style of this._styles(this._levels[i], textures)) {
                context.fillStyle = style;
                context.fill(path, 'evenodd');
            }
            if (this._shapes.extents[i] * scale >= 20) this._drawMark(i, scale);
        }
    },

    // Writes the level's character inside a unit, if a circle around it fits.
    _drawMark(i, scale) {
        const { x, y, radius } = this._shapes.label(i);
        if (radius * scale < 10) return;
        this._write(this._fills, x, y, Math.min(radius * scale * 1.1, 20), scale, this._levels[i]);
    },

    _write(context, x, y, size, scale, level) {
        const { colour, dotted, mark, ink } = this._palette[level & LEVEL_BITS];
        context.font = `600 ${size / scale}px ${FONTS}`;
        context.textAlign = 'center';
        context.textBaseline = 'middle';
        if (dotted || level & (TO_VERIFY_BIT | CONTESTED_BIT)) {
            context.lineJoin = 'round';
            context.lineWidth = 5 / scale;
            context.strokeStyle = colour;
            context.strokeText(mark, x, y);
        }
        context.fillStyle = ink;
        context.fillText(mark, x, y);
    },

    _drawLines(areas, view) {
        const context = this._lines;
        const scale = this._onPlane(context);
        const shapes = this._shapes;
        context.lineJoin = 'round';
        context.strokeStyle = PAPER;
        let upTo = Infinity;
        for (const { from, width } of BORDERS) {
            context.lineWidth = width / scale;
            for (const i of areas) {
                const size = shapes.extents[i] * scale;
                if (size >= from && size < upTo) context.stroke(shapes.paths[i]);
            }
            upTo = from;
        }
        if (!this._outlines) return;
        const outlined = this._outlines.within(view, AREA);
        for (const [colour, width] of [
            [PAPER, 3],
            ['#3c4650', 1.4],
        ]) {
            context.strokeStyle = colour;
            for (const i of outlined) {
                const size = this._outlines.extents[i] * scale;
                context.lineWidth = (width * Math.min(size / 80, 1)) / scale;
                context.stroke(this._outlines.paths[i]);
            }
        }
    },

    _markerRadius() {
        return Math.max(5, Math.min(5 + 1.5 * (this._map.getZoom() - this.fullZoom), 12));
    },

    // Paints all point markers afresh (they may overlap); returns how many.
    _drawMarkers(view) {
        const context = this._markers;
        clear(context);
        const scale = this._onPlane(context);
        const textures = this._textures(context);
        const radius = this._markerRadius();
        const units = this._shapes.within(view, POINT);
        const disc = (x, y, size, style) => {
            context.beginPath();
            context.arc(x, y, size / scale, 0, 2 * Math.PI);
            context.fillStyle = style;
            context.fill();
        };
        context.lineWidth = 1 / scale;
        for (const i of units) {
            const [x, y] = this._shapes.box(i);
            const level = this._levels[i];
            disc(x, y, radius + 1.5, PAPER);
            for (const style of this._styles(level, textures)) disc(x, y, radius, style);
            context.strokeStyle = INK;
            context.stroke();
            if (radius >= 9) this._write(context, x, y, radius * 1.2, scale, level);
        }
        return units.length;
    },

    _drawHighlight() {
        const context = this._highlight;
        clear(context);
        const scale = this._onPlane(context);
        context.lineJoin = 'round';
        if (this._hover !== this._selected) this._outline(context, this._hover, scale, [[INK, 2]]);
        this._outline(context, this._selected, scale, [
            [PAPER, 7],
            [INK, 3.5],
        ]);
    },

    _outline(context, i, scale, strokes) {
        if (i < 0) return;
        let path = this._shapes.paths[i];
        if (this._shapes.kind[i] === POINT) {
            const [x, y] = this._shapes.box(i);
            path = new Path2D();
            path.arc(x, y, (this._markerRadius() + 2) / scale, 0, 2 * Math.PI);
        }
        for (const [colour, width] of path ? strokes : []) {
            context.strokeStyle = colour;
            context.lineWidth = width / scale;
            context.stroke(path);
        }
    },

    // What a level is filled with, one over the other.
    _styles(level, { dots, hatch, rings }) {
        const { colour, dotted } = this._palette[level & LEVEL_BITS];
        const styles = [colour];
        if (dotted) styles.push(dots);
        if (level & TO_VERIFY_BIT) styles.push(hatch);
        if (level & CONTESTED_BIT) styles.push(rings);
        return styles;
    },

    // Patterns fixed to the screen whatever the context's transform.
    _textures(context) {
        const side = Math.round(TEXTURE_PERIOD * this._ratio);
        if (this._tiles?.side !== side) {
            this._tiles = { side, dots: dotTile(side), hatch: hatchTile(side), rings: ringTile(side) };
        }
        const still = context.getTransform().inverse();
        const pattern = (tile) => {
            const texture = context.createPattern(tile, 'repeat');
            texture.setTransform(still);
            return texture;
        };
        const { dots, hatch, rings } = this._tiles;
        return { dots: pattern(dots), hatch: pattern(hatch), rings: pattern(rings) };
    },
});

function clear(context) {
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, context.canvas.width, context.canvas.height);
}

function tile(side) {
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = side;
    return canvas;
}

// Diagonal strokes: to be verified.
export function hatchTile(side = TEXTURE_PERIOD) {
    const canvas = tile(side);
    const context = canvas.getContext('2d');
    context.strokeStyle = INK;
    context.lineWidth = side / 5;
    for (const shift of [-side, 0, side]) {
        context.moveTo(shift - 1, side + 1);
        context.lineTo(shift + side + 1, -1);
    }
    context.stroke();
    return canvas;
}

// Small rings: the colour is contested. White inside ink, so that they show on every colour.
export function ringTile(side = TEXTURE_PERIOD) {
    const canvas = tile(side);
    const context = canvas.getContext('2d');
    context.arc(side / 2, side / 2, side / 4.5, 0, 2 * Math.PI);
    context.fillStyle = PAPER;
    context.fill();
    context.strokeStyle = INK;
    context.lineWidth = side / 7;
    context.stroke();
    return canvas;
}

// Dots: no data; in greyscale its fill alone is close to yellow.
export function dotTile(side = TEXTURE_PERIOD) {
    const canvas = tile(side);
    const context = canvas.getContext('2d');
    context.fillStyle = '#77808a';
    for (const at of [0.25, 0.75]) {
        context.beginPath();
        context.arc(at * side, at * side, side / 9, 0, 2 * Math.PI);
        context.fill();
    }
    return canvas;
}
